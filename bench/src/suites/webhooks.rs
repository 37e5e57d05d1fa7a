//! How soon callers are told of their jobs' ends by webhooks, while half of the receivers hang.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Client, request};
use crate::report::{Section, mebibytes, number};

/// Those who are told, each at a port of its own.
const RECEIVERS: usize = 1_000;
/// Messages for each of them.
const MESSAGES: usize = 4;
const JOBS: usize = RECEIVERS * MESSAGES;
/// Jobs that end in a second.
const RATE: usize = 250;
/// Connections over which jobs are submitted.
const SUBMITTERS: usize = 8;
/// Turns of each kind of run; the median is reported.
const ROUNDS: usize = 3;
/// Long after anything.
const GIVE_UP: Duration = Duration::from_secs(120);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/// What came of one run.
struct Run {
    /// From the end of a job to its message, of receivers that answer in every run, in ms.
    p50: f64,
    p99: f64,
    highest: f64,
    /// Connections of receivers that were open at once.
    connections: usize,
    cpu: f64,
    peak: u64,
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "webhooks",
        &format!(
            "{JOBS} jobs end, {RATE} in a second, and each is told by webhook to one of \
             {RECEIVERS} receivers in turn; then the same with every second receiver one that \
             reads the message and never answers. Everything else is at its default. The time is \
             from before the backend's answer is sent until a receiver has read the whole message, \
             so the commit of the end is in it, for those receivers that answer in both. Fresh \
             servers, {ROUNDS} turns of each; the row with the median p99 is shown."
        ),
        &[
            "receivers",
            "hanging",
            "messages",
            "p50 ms",
            "p99 ms",
            "max ms",
            "connections at most",
            "CPU s",
            "RSS peak MiB",
        ],
    );
    let mut runs = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (hang, runs) in [false, true].into_iter().zip(&mut runs) {
            let local = LocalSet::new();
            let run = local.run_until(timeout(GIVE_UP, one(context, hang))).await;
            runs.push(run.context("it took too long").flatten()?);
        }
    }
    let [healthy, half] = runs.map(|mut runs| {
        runs.sort_by(|one, other| one.p99.total_cmp(&other.p99));
        runs.swap_remove(ROUNDS / 2)
    });
    for (run, hanging) in [(&healthy, 0), (&half, RECEIVERS / 2)] {
        section.row([
            RECEIVERS.to_string(),
            hanging.to_string(),
            (JOBS / 2).to_string(),
            number(run.p50),
            number(run.p99),
            number(run.highest),
            run.connections.to_string(),
            number(run.cpu),
            number(mebibytes(run.peak)),
        ]);
    }
    let over = |of: &str| format!("{of} of the healthy half, others hanging, over none hanging");
    section.at_most(&over("p50"), 1.5, half.p50 / healthy.p50, " x");
    section.at_most(&over("p99"), 1.5, half.p99 / healthy.p99, " x");
    Ok(section)
}

/// What backend and receivers know.
#[derive(Clone)]
struct World {
    /// When each job's answer was sent.
    ended: Rc<RefCell<Vec<Option<Instant>>>>,
    /// From there to the message, in microseconds.
    late: Rc<RefCell<Histogram<u64>>>,
    open: Rc<Cell<usize>>,
    open_most: Rc<Cell<usize>>,
}

async fn one(context: &Context, hang: bool) -> Result<Run> {
    let world = World {
        ended: Rc::new(RefCell::new(vec![None; JOBS])),
        late: Rc::new(RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3)?)),
        open: Rc::default(),
        open_most: Rc::default(),
    };
    let backend = world.backend().await?;
    let mut receivers = Vec::new();
    for number in 0..RECEIVERS {
        receivers.push(world.receiver(number % 2 == 0, hang).await?);
    }
    let program = context.raincheck.as_ref();
    let program = program.context("this suite measures raincheck")?;
    let webhooks = "[webhooks]\nallow = [\"127.0.0.0/8\"]\n\
                    keys = [\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]\n";
    let callback = "callback = { header = \"callback-url\" }";
    let config = webhooks.to_owned() + &route("job", "async", backend, callback);
    let home = Home::new(&context.data, &config)?;
    let gateway = home.start(program).await?;
    submit(&gateway, receivers.into()).await?;
    while world.late.borrow().len() < (JOBS / 2) as u64 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let late = world.late.borrow();
    let millis = |quantile: f64| late.value_at_quantile(quantile) as f64 / 1e3;
    let usage = gateway.process.usage()?;
    Ok(Run {
        p50: millis(0.5),
        p99: millis(0.99),
        highest: millis(1.0),
        connections: world.open_most.get(),
        cpu: usage.cpu,
        peak: usage.peak,
    })
}

/// Submits all jobs, evenly over time.
async fn submit(gateway: &Gateway, receivers: Rc<[SocketAddr]>) -> Result<()> {
    let begun = Instant::now();
    let mut submitting = JoinSet::new();
    for first in 0..SUBMITTERS {
        let receivers = Rc::clone(&receivers);
        let mut client = Client::new(gateway.address);
        submitting.spawn_local(async move {
            for number in (first..JOBS).step_by(SUBMITTERS) {
                sleep_until(begun + Duration::from_secs(1) * number as u32 / RATE as u32).await;
                let receiver = receivers[number % RECEIVERS];
                let callback = format!("callback-url: http://{receiver}/{number}\r\n");
                let message = request("POST", &format!("/job/{number}"), &callback, &BODY);
                let status = client.call(&message, false).await?;
                ensure!(status == 202, "a job got the answer {status}");
            }
            Ok(())
        });
    }
    while let Some(done) = submitting.join_next().await {
        done??;
    }
    Ok(())
}

impl World {
    /// A backend that answers at once and notes when.
    async fn backend(&self) -> Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = self.clone();
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let world = world.clone();
                tokio::task::spawn_local(async move {
                    while let Some(number) = message(&mut stream).await {
                        if let Some(at) = world.ended.borrow_mut().get_mut(number) {
                            *at = Some(Instant::now());
                        }
                        if stream.write_all(ANSWER).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(address)
    }

    /// A receiver. One that is not `healthy` answers nothing where those are to `hang`.
    async fn receiver(&self, healthy: bool, hang: bool) -> Result<SocketAddr> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let world = self.clone();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let world = world.clone();
                world.open.set(world.open.get() + 1);
                let most = world.open_most.get().max(world.open.get());
                world.open_most.set(most);
                tokio::task::spawn_local(async move {
                    world.receive(stream, healthy, hang).await;
                    world.open.set(world.open.get() - 1);
                });
            }
        });
        Ok(address)
    }

    /// Takes what comes on one connection.
    async fn receive(&self, mut stream: TcpStream, healthy: bool, hang: bool) {
        while let Some(number) = message(&mut stream).await {
            let now = Instant::now();
            if hang && !healthy {
                continue;
            }
            let at = self.ended.borrow().get(number).copied().flatten();
            if let (true, Some(at)) = (healthy, at) {
                let micros = now.saturating_duration_since(at).as_micros() as u64;
                self.late.borrow_mut().saturating_record(micros);
            }
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

/// The number at the end of the path of the next message, once all of that has come; none at the
/// end.
async fn message(stream: &mut TcpStream) -> Option<usize> {
    let mut seen = Vec::with_capacity(2048);
    loop {
        if let Some(end) = memmem::find(&seen, b"\r\n\r\n") {
            let head = std::str::from_utf8(&seen[..end]).ok()?.to_ascii_lowercase();
            let length = head.split("content-length: ").nth(1)?;
            let length: usize = length.split('\r').next()?.parse().ok()?;
            if seen.len() >= end + 4 + length {
                let path = head.split(' ').nth(1)?;
                return path.rsplit('/').next()?.parse().ok();
            }
        }
        if stream.read_buf(&mut seen).await.ok()? == 0 {
            return None;
        }
    }
}
