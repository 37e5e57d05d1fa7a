//! What clients that mean no good do to those that do: slow ones beside honest ones, and floods of
//! HTTP/2 frames.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Plan, repeat, request};
use crate::noop::Noop;
use crate::report::{Section, median, number};

const SLOW: usize = 200;
const HONEST: usize = 16;
const ROUNDS: usize = 6;
/// How long slow clients have to fill the buffers between them and the backend.
const SETTLE: Duration = Duration::from_secs(3);
/// The time between two bytes of a slow client.
const DRIP: Duration = Duration::from_secs(1);
const FRAMES: usize = 3_000;
/// When a connection that floods and is not ended counts as one that goes on.
const GIVE_UP: Duration = Duration::from_secs(20);

/// Ways of being slow: the first bytes that are sent, and whether the answer is taken.
const KINDS: [(&str, &str, bool); 3] = [
    (
        "headers",
        "GET /sync/x HTTP/1.1\r\nhost: bench\r\nx: ",
        true,
    ),
    (
        "body",
        "POST /sync/x HTTP/1.1\r\nhost: bench\r\ncontent-length: 1000000\r\n\r\n",
        true,
    ),
    (
        "reading",
        "GET /sync/big/20000000 HTTP/1.1\r\nhost: bench\r\n\r\n",
        false,
    ),
];

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "slow",
        &format!(
            "{HONEST} honest connections on a sync route, alone and beside {SLOW} slow clients, in \
             rounds that take turns; p99 is the median over the rounds. Slow ones send or take a \
             byte a second: of a head, of a body, of an answer of 20 MB. Floods are {FRAMES} \
             frames of HTTP/2 at once on one connection; `after` says whether it was ended, and \
             by how much resident memory grew."
        ),
        &["who", "alone p99 ms", "beside p99 ms", "ratio", "after"],
    );
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let noop = Noop::start().await?;
    let home = Home::new(&context.data, &route("sync", "sync", noop.address, ""))?;
    let gateway = home.start(program).await?;
    round(context, &gateway).await?;
    for kind in KINDS {
        slow(context, &gateway, &mut section, kind).await?;
    }
    for (name, opening, frame) in floods() {
        flood(&gateway, &mut section, name, opening, &frame).await?;
    }
    Ok(section)
}

async fn slow(
    context: &Context,
    gateway: &Gateway,
    section: &mut Section,
    (name, first, takes): (&'static str, &'static str, bool),
) -> Result<()> {
    let mut p99 = [Vec::new(), Vec::new()];
    for turn in 0..ROUNDS {
        for beside in if turn % 2 == 0 {
            [false, true]
        } else {
            [true, false]
        } {
            let mut clients = JoinSet::new();
            for _ in 0..if beside { SLOW } else { 0 } {
                clients.spawn(drip(gateway.address, first, takes));
            }
            // Until they are slow: 200 answers of 20 MB that begin at once are honest work, for
            // the backend above all.
            tokio::time::sleep(SETTLE).await;
            p99[usize::from(beside)].push(round(context, gateway).await?);
            clients.shutdown().await;
        }
    }
    let [alone, beside] = p99.map(median);
    let ratio = beside / alone;
    section.row([
        format!("{SLOW} slow {name}"),
        number(alone),
        number(beside),
        number(ratio),
        "-".to_owned(),
    ]);
    section.at_most(&format!("p99 beside slow {name}"), 1.2, ratio, " x");
    Ok(())
}

/// One client that is slow until it is dropped or let go.
async fn drip(address: SocketAddr, first: &str, takes: bool) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(first.as_bytes()).await?;
    loop {
        tokio::time::sleep(DRIP).await;
        match takes {
            true => stream.write_all(b"x").await?,
            false => drop(stream.read_u8().await?),
        }
    }
}

/// The 99th percentile of honest clients, in milliseconds.
async fn round(context: &Context, gateway: &Gateway) -> Result<f64> {
    let plan = Plan {
        time: context.time / 2,
        ..context.plan(gateway.address, HONEST)
    };
    let outcome = repeat(plan, request("GET", "/sync/x", "", b"")).await?;
    outcome.expect(200)?;
    Ok(outcome.millis(0.99))
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Each kind of abuse: what comes before it, and all of its frames.
fn floods() -> Vec<(&'static str, Vec<u8>, Vec<u8>)> {
    // POST /sync/x of `x`, without an end.
    let fields = [&[0x83, 0x86, 0x04, 7][..], b"/sync/x", &[0x01, 1, b'x']].concat();
    let open = frame(1, 4, 1, &fields);
    let many = |frame: Vec<u8>| frame.repeat(FRAMES);
    let resets = (0..FRAMES as u32).flat_map(|number| {
        let stream = 2 * number + 1;
        [
            frame(1, 5, stream, &fields),
            frame(3, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    });
    vec![
        ("PING", vec![], many(frame(6, 0, 0, &[7; 8]))),
        ("SETTINGS", vec![], many(frame(4, 0, 0, &[]))),
        ("empty DATA", open.clone(), many(frame(0, 0, 1, &[]))),
        ("WINDOW_UPDATE", vec![], many(frame(8, 0, 0, &[0, 0, 0, 1]))),
        ("PRIORITY", vec![], many(frame(2, 0, 3, &[0, 0, 0, 0, 16]))),
        (
            "empty CONTINUATION",
            frame(1, 0, 1, &fields),
            many(frame(9, 0, 1, &[])),
        ),
        ("reset streams", vec![], resets.collect()),
    ]
}

async fn flood(
    gateway: &Gateway,
    section: &mut Section,
    name: &str,
    opening: Vec<u8>,
    frames: &[u8],
) -> Result<()> {
    let before = gateway.process.usage()?.resident;
    let stream = TcpStream::connect(gateway.address).await?;
    let (mut read, mut write) = stream.into_split();
    let preface = [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        &frame(4, 0, 0, &[])[..],
    ]
    .concat();
    let bytes = [&preface[..], &opening, frames].concat();
    let reading = async {
        let mut dropped = vec![0; 16 * 1024];
        while read.read(&mut dropped).await.is_ok_and(|count| count > 0) {}
    };
    // The connection may end before all is sent.
    let exchange = async { tokio::join!(write.write_all(&bytes), reading) };
    let ended = tokio::time::timeout(GIVE_UP, exchange).await.is_ok();
    let grown = gateway.process.usage()?.resident.saturating_sub(before);
    let grown = grown as f64 / f64::from(1 << 20);
    let none = || "-".to_owned();
    let verdict = if ended { "ended" } else { "goes on" };
    section.row([
        format!("{FRAMES} x {name}"),
        none(),
        none(),
        none(),
        format!("{verdict}, {} MiB", number(grown)),
    ]);
    section.at_least(
        &format!("ended by {name}"),
        1.0,
        f64::from(u8::from(ended)),
        "",
    );
    section.at_most(&format!("memory for {name}"), 10.0, grown, " MiB");
    Ok(())
}
