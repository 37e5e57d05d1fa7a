//! Repetitions: ten thousand clients with one key, and what a key adds to an accept.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Outcome, Plan, drive, repeat, request};
use crate::noop::Noop;
use crate::report::{Section, mebibytes, median};

/// Clients that send the same at once.
const CLIENTS: usize = 10_000;
/// How long the backend takes: time for all of them to come, where sockets are slow.
const WORK: &str = "/run/wait/5000";
const ROUNDS: usize = 12;
const CONNECTIONS: usize = 64;
/// Each round has keys that no other had.
static KEYED_ROUND: AtomicU64 = AtomicU64::new(0);

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let mut section = Section::new(
        "duplicates",
        "The same POST of 1 KiB with the same Idempotency-Key from 10,000 connections at once, to an \
         auto route whose backend takes 5 s; then POSTs of 1 KiB to an async route that is busy, \
         without a key and with a new one each, at 64 connections in rounds that take turns. CPU is \
         the median over the rounds.",
        &[
            "work",
            "requests",
            "per second",
            "p50 ms",
            "p99 ms",
            "CPU µs",
        ],
    );
    let noop = Noop::start().await?;
    let more = "concurrency = 1\nqueue = 10000000\n";
    let routes = [
        route("run", "auto", noop.address, ""),
        route("plain", "async", noop.address, more),
        route("keyed", "async", noop.address, more),
    ]
    .concat();
    let home = Home::new(&context.data, &routes)?;
    let gateway = home.start(program).await?;
    storm(&mut section, &gateway, &noop).await?;
    accepts(&mut section, context, &gateway).await?;
    Ok(section)
}

async fn storm(section: &mut Section, gateway: &Gateway, noop: &Noop) -> Result<()> {
    let before = gateway.process.usage()?;
    let plan = Plan {
        address: gateway.address,
        connections: CLIENTS,
        count: CLIENTS as u64,
        time: Duration::from_secs(60),
    };
    let message = request("POST", WORK, "idempotency-key: storm\r\n", &BODY);
    let bodies = Rc::new(RefCell::new(0));
    let equal = Rc::clone(&bodies);
    let outcome = drive(plan, async move |client, _| {
        let status = client.call(&message, true).await?;
        let same = status == 200 && client.body() == [b'x'; 1024];
        *equal.borrow_mut() += u64::from(same);
        Ok(status)
    })
    .await?;
    outcome.expect(200)?;
    let after = gateway.process.usage()?;
    let cpu = (after.cpu - before.cpu) * 1e6 / CLIENTS as f64;
    section.rounds("10,000 clients, one key", [&outcome], cpu)?;
    let runs = noop.count().await? as f64;
    section.at_most("runs of 10,000 clients with one key", 1.0, runs, "");
    let equal = *bodies.borrow() as f64;
    section.at_least("equal answers", CLIENTS as f64, equal, "");
    let each = (after.peak.saturating_sub(before.peak)) as f64 / CLIENTS as f64 / 1024.0;
    section.plain("resident memory for each of them", each, " KiB");
    section.plain("resident memory at most", mebibytes(after.peak), " MiB");
    Ok(())
}

async fn accepts(section: &mut Section, context: &Context, gateway: &Gateway) -> Result<()> {
    let kinds = ["plain", "keyed"];
    for kind in kinds {
        round(context, gateway, kind).await?;
    }
    let mut cpu = [Vec::new(), Vec::new()];
    let mut totals = [Vec::new(), Vec::new()];
    for number in 0..ROUNDS {
        for index in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (outcome, cost) = round(context, gateway, kinds[index]).await?;
            cpu[index].push(cost);
            totals[index].push(outcome);
        }
    }
    let cost = cpu.map(median);
    for (index, name) in ["accept without a key", "accept with a new key"]
        .into_iter()
        .enumerate()
    {
        section.rounds(name, &totals[index], cost[index])?;
    }
    let ratio = cost[1] / cost[0];
    section.at_most(
        "CPU of an accept with a key over one without",
        1.1,
        ratio,
        " x",
    );
    Ok(())
}

async fn round(context: &Context, gateway: &Gateway, kind: &str) -> Result<(Outcome, f64)> {
    let plan = Plan {
        time: context.time / 2,
        ..context.plan(gateway.address, CONNECTIONS)
    };
    let before = gateway.process.usage()?.cpu;
    let path = format!("/{kind}/hang");
    let outcome = match kind {
        "keyed" => {
            let round = KEYED_ROUND.fetch_add(1, Relaxed);
            drive(plan, async move |client, number| {
                let key = format!("idempotency-key: \"{round:024x}{number:012x}\"\r\n");
                client
                    .call(&request("POST", &path, &key, &BODY), false)
                    .await
            })
            .await?
        }
        _ => repeat(plan, request("POST", &path, "", &BODY)).await?,
    };
    outcome.expect(202)?;
    let cpu = (gateway.process.usage()?.cpu - before) * 1e6 / outcome.done() as f64;
    Ok((outcome, cpu))
}
