//! The simulation: the real core, runner, exchange and gateway in a world of which a seed decides
//! everything: clock, network, disk, backend, clients, and what goes wrong when.
//!
//! What makes it deterministic: one thread and one runtime per run, on a paused clock that leaps
//! from timer to timer; chance that comes from the seed only, that of the runtime's own dice
//! included (which needs `--cfg tokio_unstable`; `cargo xtask sim` sets it); no socket, no file, no
//! other thread. [`meta`] holds it to that. Read [`world`] first, then [`scenarios`] and
//! [`checkers`]; `docs/design/` says what is simulated and what is not.

mod backend;
mod broken;
mod chance;
mod checkers;
mod client;
mod clock;
mod controls;
mod disk;
mod fleet;
mod history;
mod meta;
mod net;
mod options;
mod process;
mod run;
mod scenarios;
mod tell;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Parser;

use fleet::{Orders, Totals, fly, fresh_seed, now};
use options::Options;
use run::Case;
use scenarios::Scenario;

/// Seeds of each scenario that CI runs every time.
const FIXED_SEEDS: u64 = 3;
/// How long CI goes on with fresh seeds.
const FRESH: Duration = Duration::from_secs(100);
/// The seeds that CI runs twice.
const META_SEEDS: u64 = 2;

fn main() -> ExitCode {
    let options = Options::parse();
    run::note_panics();
    match simulate(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn simulate(options: &Options) -> anyhow::Result<()> {
    if cfg!(not(tokio_unstable)) {
        bail!("built without `--cfg tokio_unstable`: run it as `cargo xtask sim`");
    }
    let scenarios = match &options.scenario {
        Some(name) => vec![scenarios::named(name).context("there is no such scenario")?],
        None => scenarios::ALL.to_vec(),
    };
    if let Some(seed) = options.seed {
        return replay(options, &scenarios, seed);
    }
    if options.meta {
        return meta(&scenarios, fresh_seed(), META_SEEDS);
    }
    if options.controls {
        return controls();
    }
    if options.seeds.is_some() || options.seconds.is_some() {
        let until = options
            .seconds
            .map(|seconds| now() + Duration::from_secs(seconds));
        many("fresh seeds", scenarios, fresh_seed(), options.seeds, until)?;
        return Ok(());
    }
    as_ci(scenarios)
}

/// What CI runs: each checker bites, the same seed is the same run, fixed seeds, fresh seeds.
fn as_ci(scenarios: Vec<&'static Scenario>) -> anyhow::Result<()> {
    let began = now();
    controls()?;
    meta(&scenarios, 1, META_SEEDS)?;
    let mut all = many("fixed seeds", scenarios.clone(), 1, Some(FIXED_SEEDS), None)?;
    let until = Some(now() + FRESH);
    let fresh = many("fresh seeds", scenarios, fresh_seed(), None, until)?;
    all.join(&fresh);
    tell::all(&all, began.elapsed());
    Ok(())
}

/// Runs one seed again, and says all about it.
fn replay(options: &Options, scenarios: &[&'static Scenario], seed: u64) -> anyhow::Result<()> {
    if let (Some(variant), [scenario]) = (
        options.variant.or_else(|| options.trace.then_some(0)),
        scenarios,
    ) {
        let case = Case {
            seed,
            scenario,
            variant,
        };
        if options.trace {
            print!("{}", meta::trace(case));
        }
        let report = run::run(case, None);
        return tell::report(case, &report);
    }
    let scenarios = scenarios.to_vec();
    many("one seed", scenarios, seed, Some(1), None)?;
    Ok(())
}

fn controls() -> anyhow::Result<()> {
    for control in controls::ALL {
        let (seed, what) = controls::check(control).map_err(anyhow::Error::msg)?;
        let (broken, checker) = (control.broken, control.checker);
        println!("control {broken:?}: {checker} bites at seed {seed}: {what}");
    }
    Ok(())
}

fn meta(scenarios: &[&'static Scenario], first: u64, seeds: u64) -> anyhow::Result<()> {
    let mut lines = 0;
    for scenario in scenarios {
        for seed in first..first + seeds {
            // A variant in which something dies, where there are any.
            let variant = if scenario.by_sync { 9 } else { 0 };
            let case = Case {
                seed,
                scenario,
                variant,
            };
            lines += meta::check(case)
                .map_err(anyhow::Error::msg)
                .with_context(|| case.command())?;
        }
    }
    let runs = scenarios.len() as u64 * seeds;
    println!("meta: {runs} runs done twice, {lines} lines of trace, all the same");
    Ok(())
}

fn many(
    what: &str,
    scenarios: Vec<&'static Scenario>,
    first: u64,
    seeds: Option<u64>,
    until: Option<std::time::Instant>,
) -> anyhow::Result<Totals> {
    let began = now();
    let outcome = fly(&Orders {
        scenarios,
        first,
        seeds,
        until,
    });
    tell::outcome(what, first, &outcome, began.elapsed())
}
