//! One response followed by many while it is produced, one of whom reads nothing.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::context::Context;
use crate::gateway::{Home, route};
use crate::load::{Client, request};
use crate::noop::Noop;
use crate::report::{Section, mebibytes, number};

/// Bytes of the response.
const BODY: u64 = 100 << 20;
/// Those who follow it, the stalled one among them.
const FOLLOWERS: usize = 200;
/// How long the backend waits before its first byte: until all are there.
const GATHER_MILLIS: u64 = 2000;
/// Followers that take longer than this are stuck.
const LONGEST: Duration = Duration::from_secs(300);

/// What came of one run.
struct Run {
    /// From the response's first byte to its last, of each who read it.
    seconds: Vec<f64>,
    cpu: f64,
    peak: u64,
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let program = context.raincheck.as_ref();
    let program = program.context("this suite measures raincheck")?;
    let mut section = Section::new(
        "follow",
        "One response of 100 MiB of an async job, read with `?follow` while the backend sends it as \
         fast as it can; each run with a fresh server. Where one stalls, it takes the head and then \
         nothing. Seconds are from a follower's first byte to its last, of those who read, on \
         processors that they share with the server.",
        &[
            "readers",
            "stalled",
            "first s",
            "median s",
            "last s",
            "MiB per second, all",
            "CPU s",
            "RSS peak MiB",
        ],
    );
    let mut last = Vec::new();
    let mut highest = 0;
    for (readers, stalled) in [(1, 0), (FOLLOWERS - 1, 0), (FOLLOWERS - 1, 1)] {
        let one = tokio::time::timeout(LONGEST, one(context, program, readers, stalled)).await;
        let mut run = one.context("it took too long").flatten()?;
        run.seconds.sort_by(f64::total_cmp);
        let slowest = *run.seconds.last().context("a reader")?;
        let rate = mebibytes(BODY) * readers as f64 / slowest;
        section.row([
            readers.to_string(),
            stalled.to_string(),
            number(run.seconds[0]),
            number(run.seconds[readers / 2]),
            number(slowest),
            number(rate),
            number(run.cpu),
            number(mebibytes(run.peak)),
        ]);
        last.push(slowest);
        highest = highest.max(run.peak);
    }
    if let [_, without, with] = last[..] {
        let name = "time of the last reader with one stalled, over without";
        section.at_most(name, 1.1, with / without, " x");
    }
    section.at_most("resident memory", 128.0, mebibytes(highest), " MiB");
    Ok(section)
}

async fn one(context: &Context, program: &Path, readers: usize, stalled: usize) -> Result<Run> {
    let noop = Noop::start().await?;
    let home = Home::new(&context.data, &route("job", "async", noop.address, ""))?;
    let gateway = home.start(program).await?;
    let path = format!("/job/wait/{GATHER_MILLIS}/big/{BODY}");
    let mut submitter = Client::new(gateway.address);
    let status = submitter
        .call(&request("GET", &path, "", b""), false)
        .await?;
    ensure!(
        status == 202,
        "the answer was {status} where a ticket was expected"
    );
    let job = submitter.header("location").context("a Location")?;
    let ask = request("GET", &format!("{job}/result?follow&wait=30"), "", b"");
    // Those who stall are there for as long as anybody reads.
    let mut stalling = JoinSet::new();
    let mut begun = Vec::new();
    for _ in 0..stalled {
        let (client, ask) = (Client::new(gateway.address), ask.clone());
        let (has_begun, begins) = oneshot::channel();
        begun.push(begins);
        stalling.spawn(async move {
            let client = head_of(client, &ask).await;
            _ = has_begun.send(client.as_ref().is_ok());
            std::future::pending::<()>().await;
            drop(client);
        });
    }
    let mut reading = JoinSet::new();
    for _ in 0..readers {
        let (client, ask) = (Client::new(gateway.address), ask.clone());
        reading.spawn(async move { read(client, &ask).await });
    }
    let mut seconds = Vec::new();
    while let Some(read) = reading.join_next().await {
        seconds.push(read??);
    }
    for begins in begun {
        ensure!(begins.await?, "the one who stalls got no head");
    }
    let usage = gateway.process.usage()?;
    Ok(Run {
        seconds,
        cpu: usage.cpu,
        peak: usage.peak,
    })
}

/// Asks, and reads the head.
async fn head_of(mut client: Client, ask: &[u8]) -> Result<Client> {
    let wire = client.wire().await?;
    wire.send(ask).await?;
    if !wire.read_head().await? {
        bail!("the server closed the connection");
    }
    let status = wire.status()?;
    ensure!(status == 200, "the answer was {status}");
    Ok(client)
}

/// Reads all of it, and says how long that took.
async fn read(client: Client, ask: &[u8]) -> Result<f64> {
    let mut client = head_of(client, ask).await?;
    let begun = Instant::now();
    let wire = client.wire().await?;
    let framing = wire.framing()?;
    let got = wire.read_body(framing, None).await?;
    ensure!(got == BODY, "{got} bytes came instead of {BODY}");
    Ok(begun.elapsed().as_secs_f64())
}
