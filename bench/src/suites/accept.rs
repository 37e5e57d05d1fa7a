//! Durable acceptance: how fast a job is taken, and what it costs, against a durable send.

use anyhow::{Context as _, Result};

use super::BODY;
use crate::context::Context;
use crate::gateway::{Home, route};
use crate::load::{Outcome, repeat, request};
use crate::noop::Noop;
use crate::process::{Process, Usage};
use crate::report::{Section, mebibytes, number};
use crate::restate::Restate;
use crate::{disk, load};

/// What one server did at one number of connections.
struct Figure {
    server: &'static str,
    work: &'static str,
    connections: usize,
    outcome: Outcome,
    /// Microseconds of the server's CPU for one answer.
    cpu: f64,
    after: Usage,
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "accept",
        "A request of 1 KiB is made durable, then acknowledged: a 202 of an async route, or a send \
         of Restate, with everything else at its default. `taken` is acceptance alone (raincheck: \
         the route is busy with one job; Restate: a send with a delay); `taken and run` has the \
         jobs run by a backend or handler that does nothing at the same time; `relayed` is a sync \
         route. CPU is that of the server alone.",
        &[
            "server",
            "work",
            "connections",
            "per second",
            "p50 ms",
            "p99 ms",
            "CPU µs",
            "RSS MiB",
        ],
    );
    let floor = disk::fdatasync_p50(&context.data)?.as_secs_f64() * 1e3;
    let mut figures = Vec::new();
    for &connections in &context.connections {
        if context.raincheck.is_some() {
            for work in ["taken", "taken and run", "relayed"] {
                let figure = raincheck(context, work, connections).await?;
                add(&mut section, &mut figures, figure);
            }
        }
        if context.restate.is_some() {
            for work in ["taken", "taken and run"] {
                let figure = restate(context, work, connections).await?;
                add(&mut section, &mut figures, figure);
            }
        }
    }
    let after = disk::fdatasync_p50(&context.data)?.as_secs_f64() * 1e3;
    let mean = f64::midpoint(floor, after);
    section.row([
        "disk".into(),
        "4 KiB write + fdatasync".into(),
        "1".into(),
        number(1e3 / mean),
        number(mean),
        "-".into(),
        "-".into(),
        "-".into(),
    ]);
    targets(&mut section, &figures, mean);
    Ok(section)
}

fn add(section: &mut Section, figures: &mut Vec<Figure>, figure: Figure) {
    section.row([
        figure.server.to_owned(),
        figure.work.to_owned(),
        figure.connections.to_string(),
        number(figure.outcome.rate()),
        number(figure.outcome.millis(0.5)),
        number(figure.outcome.millis(0.99)),
        number(figure.cpu),
        number(mebibytes(figure.after.peak)),
    ]);
    figures.push(figure);
}

fn targets(section: &mut Section, figures: &[Figure], fdatasync: f64) {
    let find = |server: &str, work: &str, connections: usize| {
        figures.iter().find(|figure| {
            figure.server == server && figure.work == work && figure.connections == connections
        })
    };
    let pair = |work| Some((find("raincheck", work, 64)?, find("Restate", work, 64)?));
    let rate = |(ours, theirs): (&Figure, &Figure)| ours.outcome.rate() / theirs.outcome.rate();
    let tail = |(ours, theirs): (&Figure, &Figure)| {
        ours.outcome.millis(0.99) / theirs.outcome.millis(0.99)
    };
    if let Some(pair) = pair("taken and run") {
        let name = "rate over Restate's at 64 connections, taken and run";
        section.at_least(name, 8.0, rate(pair), " x");
        let name = "p99 over Restate's at 64 connections, taken and run";
        section.at_most(name, 0.333, tail(pair), " x");
    }
    if let Some(pair) = pair("taken") {
        section.plain(
            "rate over Restate's at 64 connections, taken",
            rate(pair),
            " x",
        );
        section.plain(
            "p99 over Restate's at 64 connections, taken",
            tail(pair),
            " x",
        );
    }
    if let (Some(taken), Some(relayed)) = (
        find("raincheck", "taken", 64),
        find("raincheck", "relayed", 64),
    ) {
        let name = "CPU of an accepted job over that of a relayed request, 64 connections";
        section.at_most(name, 4.0, taken.cpu / relayed.cpu, " x");
    }
    if let Some(taken) = find("raincheck", "taken", 1) {
        let ratio = taken.outcome.millis(0.5) / fdatasync;
        section.at_most("p50 at one connection over one fdatasync", 3.0, ratio, " x");
    }
}

async fn raincheck(context: &Context, work: &'static str, connections: usize) -> Result<Figure> {
    let program = context.raincheck.as_ref().context("raincheck")?;
    let noop = Noop::start().await?;
    let routes = [
        route(
            "busy",
            "async",
            noop.address,
            "concurrency = 1\nqueue = 10000000\n",
        ),
        route("run", "async", noop.address, "queue = 10000000\n"),
        route("sync", "sync", noop.address, ""),
    ]
    .concat();
    let home = Home::new(&context.data, &routes)?;
    let gateway = home.start(program).await?;
    let (path, status) = match work {
        "taken" => ("/busy/hang", 202),
        "taken and run" => ("/run/x", 202),
        _ => ("/sync/x", 200),
    };
    let message = request("POST", path, "", &BODY);
    let plan = context.plan(gateway.address, connections);
    let (outcome, cpu, after) = measure(context, plan, message, &gateway.process).await?;
    outcome.expect(status)?;
    Ok(Figure {
        server: "raincheck",
        work,
        connections,
        outcome,
        cpu,
        after,
    })
}

async fn restate(context: &Context, work: &'static str, connections: usize) -> Result<Figure> {
    let home = context.restate.as_ref().context("Restate")?;
    let restate = Restate::start(home, &context.data).await?;
    let message = if work == "taken" {
        Restate::send_later(&BODY)
    } else {
        Restate::send(&BODY)
    };
    let plan = context.plan(restate.ingress, connections);
    let (outcome, cpu, after) = measure(context, plan, message, &restate.server).await?;
    outcome.expect(202)?;
    Ok(Figure {
        server: "Restate",
        work,
        connections,
        outcome,
        cpu,
        after,
    })
}

async fn measure(
    context: &Context,
    plan: load::Plan,
    message: Vec<u8>,
    server: &Process,
) -> Result<(Outcome, f64, Usage)> {
    context.warm_up(plan, &message).await?;
    let before = server.usage()?;
    let outcome = repeat(plan, message).await?;
    let after = server.usage()?;
    let cpu = (after.cpu - before.cpu) * 1e6 / outcome.done().max(1) as f64;
    Ok((outcome, cpu, after))
}
