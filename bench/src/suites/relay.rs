//! The relay beside nginx and HAProxy: what a request costs that needs nothing but passing on.
//!
//! In each case all relays stand in front of one backend, and take turns under load, so that
//! whatever drifts on the machine drifts for all.

use anyhow::{Result, ensure};

use crate::context::Context;
use crate::proxies::{Behind, Kind, Proxy};
use crate::report::{Section, mebibytes, median, number};
use crate::tools::{Figures, Tools, Turn};

/// Turns of each relay in each case.
const TURNS: usize = 2;

/// How clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speech {
    Plain,
    Tls,
    Http2,
    SecureHttp2,
}

impl Speech {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
            Self::Http2 => "h2c",
            Self::SecureHttp2 => "h2",
        }
    }
}

/// One kind of load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Case {
    speech: Speech,
    /// The answer that is asked for.
    path: &'static str,
    /// Bytes of the request's body; none: GET.
    post: Option<usize>,
    connections: usize,
    /// Requests at the same time on one connection.
    streams: usize,
}

const SMALL: Case = Case {
    speech: Speech::Plain,
    path: "1k",
    post: None,
    connections: 64,
    streams: 1,
};

const SMALL_TLS: Case = Case {
    speech: Speech::Tls,
    ..SMALL
};

const SMALL_H2: Case = Case {
    speech: Speech::SecureHttp2,
    ..SMALL
};

const CASES: [Case; 13] = [
    SMALL,
    Case {
        connections: 1000,
        ..SMALL
    },
    Case {
        connections: 10_000,
        ..SMALL
    },
    Case {
        post: Some(1 << 10),
        ..SMALL
    },
    Case {
        path: "64k",
        ..SMALL
    },
    Case {
        path: "10m",
        connections: 16,
        ..SMALL
    },
    SMALL_TLS,
    Case {
        path: "64k",
        ..SMALL_TLS
    },
    Case {
        path: "10m",
        connections: 16,
        ..SMALL_TLS
    },
    SMALL_H2,
    Case {
        connections: 8,
        streams: 32,
        ..SMALL_H2
    },
    Case {
        path: "64k",
        speech: Speech::Http2,
        ..SMALL_H2
    },
    Case {
        path: "10m",
        connections: 16,
        speech: Speech::Http2,
        ..SMALL_H2
    },
];

impl Case {
    fn name(&self) -> String {
        let method = if self.post.is_some() { "POST " } else { "" };
        format!("{} {method}{}", self.speech.name(), self.path)
    }

    fn load(&self) -> String {
        match self.streams {
            1 => self.connections.to_string(),
            streams => format!("{} x {streams}", self.connections),
        }
    }

    /// Seconds of a turn that is to last so long: opening thousands of connections takes some, and
    /// so do gibibytes.
    fn seconds(&self, wanted: u64) -> u64 {
        let large = if self.path == "10m" { 2 } else { 1 };
        wanted.max(large).max(self.connections as u64 / 3000)
    }

    /// Who is measured: auto only where its fast path is the question.
    fn kinds(&self, context: &Context) -> Vec<Kind> {
        let mut kinds = Vec::new();
        if context.restate.is_some() {
            kinds.extend([Kind::Nginx, Kind::HaProxy]);
        }
        if context.raincheck.is_some() {
            kinds.push(Kind::Sync);
            kinds.extend((self.path == "1k" && self.connections == 64).then_some(Kind::Auto));
        }
        kinds
    }
}

/// What one relay did in one case.
#[derive(Debug, Clone, Copy)]
struct Figure {
    case: Case,
    kind: Kind,
    rate: f64,
    /// Microseconds of CPU for one answer.
    cpu: f64,
    millis: [f64; 3],
    resident: f64,
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "relay",
        "A request that is passed on to an nginx with one worker, which answers from memory. All \
         relays run with a worker for each core, connections to the backend kept, forwarding \
         fields set and no access log; h2 is HTTP/2 behind TLS, h2c without; to the \
         backend all speak HTTP/1.1 without TLS. The load is wrk's, on HTTP/2 h2load's, in turns. CPU and memory (proportional \
         set size under load) are those of all processes of a relay; latencies are the medians of \
         the turns.",
        &[
            "relay",
            "case",
            "connections",
            "per second",
            "CPU µs",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "memory MiB",
        ],
    );
    let behind = Behind::start(context).await?;
    let tools = Tools::new(&context.data)?;
    let mut figures = Vec::new();
    for case in CASES {
        let mut proxies = Vec::new();
        for kind in case.kinds(context) {
            proxies.push(Proxy::start(kind, context, &behind).await?);
        }
        for figure in turns(context, &tools, case, &proxies).await? {
            section.row([
                figure.kind.name().to_owned(),
                case.name(),
                case.load(),
                number(figure.rate),
                number(figure.cpu),
                number(figure.millis[0]),
                number(figure.millis[1]),
                number(figure.millis[2]),
                number(figure.resident),
            ]);
            figures.push(figure);
        }
    }
    targets(&mut section, &figures);
    Ok(section)
}

/// Lets the relays take turns, in an order that changes.
async fn turns(
    context: &Context,
    tools: &Tools,
    case: Case,
    proxies: &[Proxy],
) -> Result<Vec<Figure>> {
    for proxy in proxies {
        turn(tools, case, proxy, case.seconds(1)).await?;
    }
    let seconds = case.seconds(context.time.as_secs() / TURNS as u64);
    let mut taken: Vec<Vec<(Figures, f64, f64)>> = vec![Vec::new(); proxies.len()];
    for number in 0..TURNS {
        let mut order: Vec<usize> = (0..proxies.len()).collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let figures = turn(tools, case, &proxies[index], seconds).await?;
            ensure!(figures.0.requests > 0, "no answer within {seconds} s");
            taken[index].push(figures);
        }
    }
    let figures = proxies.iter().zip(&taken);
    Ok(figures
        .map(|(proxy, taken)| figure(case, proxy.kind, taken))
        .collect())
}

/// One turn: its figures, seconds of CPU, MiB of memory.
async fn turn(
    tools: &Tools,
    case: Case,
    proxy: &Proxy,
    seconds: u64,
) -> Result<(Figures, f64, f64)> {
    let address = match case.speech {
        Speech::Plain => proxy.plain,
        Speech::Http2 => proxy.http2,
        Speech::Tls | Speech::SecureHttp2 => proxy.secure,
    };
    let scheme = match case.speech {
        Speech::Plain | Speech::Http2 => "http",
        Speech::Tls | Speech::SecureHttp2 => "https",
    };
    let turn = Turn {
        url: format!("{scheme}://{address}/relay/{}", case.path),
        connections: case.connections,
        streams: case.streams,
        body: case.post,
        seconds,
    };
    let before = proxy.process.tree_usage()?.cpu;
    let load = async {
        match case.speech {
            Speech::Plain | Speech::Tls => tools.wrk(&turn).await,
            Speech::Http2 | Speech::SecureHttp2 => tools.h2load(&turn).await,
        }
    };
    let memory = async {
        tokio::time::sleep(std::time::Duration::from_millis(seconds * 800)).await;
        proxy.process.tree_usage()
    };
    let (figures, usage) = tokio::try_join!(load, memory)?;
    let cpu = proxy.process.tree_usage()?.cpu - before;
    Ok((figures, cpu, mebibytes(usage.resident)))
}

fn figure(case: Case, kind: Kind, taken: &[(Figures, f64, f64)]) -> Figure {
    let requests: u64 = taken.iter().map(|(figures, ..)| figures.requests).sum();
    let elapsed: f64 = taken
        .iter()
        .map(|(figures, ..)| figures.elapsed.as_secs_f64())
        .sum();
    let cpu: f64 = taken.iter().map(|(_, cpu, _)| cpu).sum();
    let millis = [0, 1, 2].map(|at| median(taken.iter().map(|turn| turn.0.millis[at])));
    Figure {
        case,
        kind,
        rate: requests as f64 / elapsed,
        cpu: cpu * 1e6 / requests as f64,
        millis,
        resident: taken
            .iter()
            .fold(0.0, |most, (.., memory)| f64::max(most, *memory)),
    }
}

fn targets(section: &mut Section, figures: &[Figure]) {
    let of = |case: Case, kind| {
        let mut found = figures.iter();
        found.find(|figure| figure.case == case && figure.kind == kind)
    };
    for case in CASES {
        let (Some(ours), Some(nginx), Some(haproxy)) = (
            of(case, Kind::Sync),
            of(case, Kind::Nginx),
            of(case, Kind::HaProxy),
        ) else {
            continue;
        };
        let name = format!("{}, {} connections", case.name(), case.load());
        let best = f64::max(nginx.rate, haproxy.rate);
        let rate = format!("rate over the better of nginx and HAProxy, {name}");
        let cpu = format!("CPU over nginx's, {name}");
        if case.path != "1k" {
            section.at_least(&rate, 0.9, ours.rate / best, " x");
            section.plain(&cpu, ours.cpu / nginx.cpu, " x");
        } else if [SMALL, SMALL_TLS, SMALL_H2].contains(&case) {
            section.at_least(&rate, 0.9, ours.rate / best, " x");
            section.at_most(&cpu, 1.4, ours.cpu / nginx.cpu, " x");
            let tail = format!("p99 over nginx's, {name}");
            section.at_most(&tail, 1.0, ours.millis[1] / nginx.millis[1], " x");
        } else {
            section.plain(&rate, ours.rate / best, " x");
            section.plain(&cpu, ours.cpu / nginx.cpu, " x");
        }
    }
}
