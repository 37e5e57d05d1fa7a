//! The full life of a job: accepted, run, its result and its status read once, forgotten.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::time::Instant;

use super::BODY;
use crate::context::Context;
use crate::gateway::{Home, route};
use crate::load::{Client, drive, request};
use crate::noop::Noop;
use crate::report::{Section, mebibytes, number};
use crate::restate::{Restate, invocation_id};

const CONNECTIONS: usize = 64;
/// How long the last jobs may take to expire, far above their retention.
const EXPIRY: Duration = Duration::from_secs(60);

/// What one server reached.
struct Figure {
    rate: f64,
    peak: u64,
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "life",
        "The whole life of a job of 1 KiB at 64 connections. raincheck: accepted, pushed to a \
         backend that does nothing, its result awaited and read, its status read, expired after \
         2 s. Restate: sent, run by a handler that does nothing, its output awaited and read. CPU \
         counts to the end of the last expiry. `runs` is what the backend or handler counted.",
        &[
            "server",
            "jobs",
            "runs",
            "per second",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "RSS peak MiB",
        ],
    );
    let ours = match &context.raincheck {
        Some(_) => Some(raincheck(context, &mut section).await?),
        None => None,
    };
    let theirs = match &context.restate {
        Some(_) => Some(restate(context, &mut section).await?),
        None => None,
    };
    if let Some(ours) = ours {
        if let Some(theirs) = theirs {
            section.at_least("rate over Restate's", 6.0, ours.rate / theirs.rate, " x");
        }
        section.at_most(
            "resident memory throughout",
            200.0,
            mebibytes(ours.peak),
            " MiB",
        );
    }
    Ok(section)
}

async fn raincheck(context: &Context, section: &mut Section) -> Result<Figure> {
    let program = context.raincheck.as_ref().context("raincheck")?;
    let noop = Noop::start().await?;
    let more = "retention = \"2s\"\nqueue = 1000000\n";
    let home = Home::new(&context.data, &route("life", "async", noop.address, more))?;
    let gateway = home.start(program).await?;
    let last = Rc::new(RefCell::new(String::new()));
    let seen = last.clone();
    let submit = request("POST", "/life/x", "", &BODY);
    context
        .warm_up(context.plan(gateway.address, CONNECTIONS), &submit)
        .await?;
    let runs = settled(async || noop.count().await).await?;
    let before = gateway.process.usage()?;
    let outcome = drive(
        context.plan(gateway.address, CONNECTIONS),
        async move |client, _| {
            let job = whole_life(client, &submit).await?;
            *seen.borrow_mut() = job;
            Ok(200)
        },
    )
    .await?;
    outcome.expect(200)?;
    until_expired(gateway.address, &last.take()).await?;
    let after = gateway.process.usage()?;
    section.row([
        "raincheck".into(),
        outcome.done().to_string(),
        (noop.count().await? - runs).to_string(),
        number(outcome.rate()),
        number(outcome.millis(0.5)),
        number(outcome.millis(0.99)),
        number((after.cpu - before.cpu) * 1e6 / outcome.done() as f64),
        number(mebibytes(after.peak)),
    ]);
    eprintln!(
        "  {} MiB stored after expiry",
        number(mebibytes(home.stored()?))
    );
    Ok(Figure {
        rate: outcome.rate(),
        peak: after.peak,
    })
}

/// The count of runs once it stands still: the jobs of the warm-up are done.
async fn settled(count: impl AsyncFn() -> Result<u64>) -> Result<u64> {
    let mut last = count().await?;
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = count().await?;
        if now == last {
            return Ok(now);
        }
        last = now;
    }
}

async fn whole_life(client: &mut Client, submit: &[u8]) -> Result<String> {
    let status = client.call(submit, false).await?;
    if status != 202 {
        bail!("the request was answered {status}");
    }
    let job = client.header("location").context("a Location")?.to_owned();
    let read = request("GET", &format!("{job}/result"), "prefer: wait=30\r\n", b"");
    let status = client.call(&read, false).await?;
    if status != 200 {
        bail!("the result was answered {status}");
    }
    let status = client.call(&request("GET", &job, "", b""), false).await?;
    if status != 200 {
        bail!("the status was answered {status}");
    }
    Ok(job)
}

/// Waits until the job that ended last is gone: then all are.
async fn until_expired(address: std::net::SocketAddr, job: &str) -> Result<()> {
    let begun = Instant::now();
    let ask = request("GET", &format!("{job}/result"), "", b"");
    while Client::new(address).call(&ask, false).await? == 200 {
        if begun.elapsed() > EXPIRY {
            bail!("{job} has not expired after {EXPIRY:?}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn restate(context: &Context, section: &mut Section) -> Result<Figure> {
    let home = context.restate.as_ref().context("Restate")?;
    let restate = Restate::start(home, &context.data).await?;
    let send = Restate::send(&BODY);
    context
        .warm_up(context.plan(restate.ingress, CONNECTIONS), &send)
        .await?;
    let runs = settled(async || restate.count().await).await?;
    let before = restate.server.usage()?;
    let outcome = drive(
        context.plan(restate.ingress, CONNECTIONS),
        async move |client, _| {
            let status = client.call(&send, true).await?;
            if status != 202 {
                bail!("the send was answered {status}");
            }
            let invocation = invocation_id(client.body())?;
            client.call(&Restate::attach(&invocation), false).await
        },
    )
    .await?;
    outcome.expect(200)?;
    let after = restate.server.usage()?;
    section.row([
        "Restate".into(),
        outcome.done().to_string(),
        (restate.count().await? - runs).to_string(),
        number(outcome.rate()),
        number(outcome.millis(0.5)),
        number(outcome.millis(0.99)),
        number((after.cpu - before.cpu) * 1e6 / outcome.done() as f64),
        number(mebibytes(after.peak)),
    ]);
    Ok(Figure {
        rate: outcome.rate(),
        peak: after.peak,
    })
}
