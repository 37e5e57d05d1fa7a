//! How long a start takes: with an empty store, and with a full queue after a kill.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::time::Instant;

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Client, Plan, repeat, request};
use crate::noop::Noop;
use crate::report::{Section, mebibytes, median, number};

const ROUNDS: usize = 11;
/// The queue is filled within this time or the suite fails.
const FILL: Duration = Duration::from_secs(600);

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let mut section = Section::new(
        "start",
        "From the start of the process to the ready line and to the first answer that was relayed. \
         Empty store: the median of 11 starts, each with a new data directory. Queued jobs of 1 KiB \
         were accepted over HTTP, then the server was killed; the median of 3 starts.",
        &[
            "store",
            "ready ms",
            "first answer ms",
            "RSS MiB",
            "stored MiB",
        ],
    );
    let noop = Noop::start().await?;
    let routes = [
        route(
            "busy",
            "async",
            noop.address,
            "concurrency = 1\nqueue = 10000000\n",
        ),
        route("sync", "sync", noop.address, ""),
    ]
    .concat();
    let mut empty = Vec::new();
    for _ in 0..ROUNDS {
        let home = Home::new(&context.data, &routes)?;
        empty.push(start(&home, program).await?.1);
    }
    let [_, first] = add(&mut section, "empty", &empty, 0);
    section.at_most("first answer with an empty store", 100.0, first, " ms");

    let home = Home::new(&context.data, &routes)?;
    fill(context, home.start(program).await?).await?;
    let stored = home.stored()?;
    let mut full = Vec::new();
    for _ in 0..3 {
        full.push(start(&home, program).await?.1);
    }
    let name = format!("{} queued jobs", context.queued);
    let [ready, _] = add(&mut section, &name, &full, stored);
    section.at_most(&format!("ready with {name}"), 2000.0, ready, " ms");
    Ok(section)
}

/// What one start took, in milliseconds, and its resident memory.
type Start = (f64, f64, u64);

async fn start(home: &Home, program: &Path) -> Result<(Gateway, Start)> {
    let begun = Instant::now();
    let gateway = home.start(program).await?;
    let ready = begun.elapsed().as_secs_f64() * 1e3;
    let status = Client::new(gateway.address)
        .call(&request("GET", "/sync/x", "", b""), false)
        .await?;
    anyhow::ensure!(status == 200, "the first answer was {status}");
    let first = begun.elapsed().as_secs_f64() * 1e3;
    let resident = gateway.process.usage()?.resident;
    Ok((gateway, (ready, first, resident)))
}

fn add(section: &mut Section, store: &str, starts: &[Start], stored: u64) -> [f64; 2] {
    let ready = median(starts.iter().map(|start| start.0));
    let first = median(starts.iter().map(|start| start.1));
    let resident = starts.iter().map(|start| start.2).max().unwrap_or(0);
    section.row([
        store.to_owned(),
        number(ready),
        number(first),
        number(mebibytes(resident)),
        number(mebibytes(stored)),
    ]);
    [ready, first]
}

/// Queues the jobs behind one that the backend never answers, then kills the server.
async fn fill(context: &Context, mut gateway: Gateway) -> Result<()> {
    eprintln!("  queueing {} jobs", context.queued);
    let plan = Plan {
        address: gateway.address,
        connections: 256,
        count: context.queued,
        time: FILL,
    };
    let outcome = repeat(plan, request("POST", "/busy/hang", "", &BODY)).await?;
    outcome.expect(202)?;
    anyhow::ensure!(
        outcome.done() == context.queued,
        "only {} were queued",
        outcome.done()
    );
    eprintln!("  queued at {} per second", number(outcome.rate()));
    gateway.process.kill();
    Ok(())
}
