//! What auto costs a fast request: CPU beside sync, in rounds that take turns so that whatever
//! drifts on the machine drifts for both; and that nothing is written to disk.

use anyhow::{Context as _, Result};

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::{Outcome, Plan, repeat, request};
use crate::noop::Noop;
use crate::report::{Section, median};

const ROUNDS: usize = 12;
const CONNECTIONS: usize = 64;

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let mut section = Section::new(
        "auto",
        "A POST of 1 KiB that is answered at once, relayed by a sync and by an auto route in rounds \
         that take turns, at 64 connections. CPU is the median over the rounds.",
        &[
            "mode",
            "requests",
            "per second",
            "p50 ms",
            "p99 ms",
            "CPU µs",
        ],
    );
    let noop = Noop::start().await?;
    let routes = ["sync", "auto"]
        .map(|mode| route(mode, mode, noop.address, ""))
        .concat();
    let home = Home::new(&context.data, &routes)?;
    let gateway = home.start(program).await?;
    let mut cpu = [Vec::new(), Vec::new()];
    let mut totals = Vec::new();
    for mode in ["sync", "auto"] {
        round(context, &gateway, mode).await?;
    }
    let (stored, written) = (home.stored()?, gateway.process.usage()?.written);
    for number in 0..ROUNDS {
        // The order changes with each pair: neither is always the one that comes after the other.
        for index in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (outcome, cost) = round(context, &gateway, ["sync", "auto"][index]).await?;
            cpu[index].push(cost);
            totals.push((index, outcome));
        }
    }
    let (stored_after, written_after) = (home.stored()?, gateway.process.usage()?.written);
    let cost = cpu.map(median);
    for (index, mode) in ["sync", "auto"].into_iter().enumerate() {
        let of_mode = totals.iter().filter(|(of, _)| *of == index);
        section.rounds(mode, of_mode.map(|(_, outcome)| outcome), cost[index])?;
    }
    section.at_most(
        "CPU of auto over sync, fast answers",
        1.05,
        cost[1] / cost[0],
        " x",
    );
    let grown = stored_after.abs_diff(stored);
    section.at_most("growth of the store's files", 0.0, grown as f64, " bytes");
    let caused = written_after - written;
    section.at_most(
        "bytes written to disk by the process",
        0.0,
        caused as f64,
        " bytes",
    );
    Ok(section)
}

async fn round(context: &Context, gateway: &Gateway, mode: &str) -> Result<(Outcome, f64)> {
    let message = request("POST", &format!("/{mode}/x"), "", &BODY);
    let plan = Plan {
        time: context.time / 2,
        ..context.plan(gateway.address, CONNECTIONS)
    };
    let before = gateway.process.usage()?.cpu;
    let outcome = repeat(plan, message).await?;
    outcome.expect(200)?;
    let cpu = (gateway.process.usage()?.cpu - before) * 1e6 / outcome.done() as f64;
    Ok((outcome, cpu))
}
