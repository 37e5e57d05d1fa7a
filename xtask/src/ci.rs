//! `cargo xtask ci`: everything that must pass before a change lands, cheapest first.
//!
//! The tests come last, so that the test runner's closing lines are near the end of the log.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::task::{self, Note, Outcome};

/// A task with its arguments.
type Step = &'static [&'static str];

const CHECKS: &[Step] = &[
    &["fmt", "--check"],
    &["tidy"],
    &["layers"],
    &["lint"],
    &["docs", "--check"],
    &["fuzz"],
    &["sim"],
];
const TESTS: Step = &["test"];

/// Stops at the first step that fails and says how to run it alone.
pub fn run(args: &[String]) -> Outcome {
    let only_checks = task::only_flag("ci", "--checks", args)?;
    let tests = (!only_checks).then_some(TESTS);
    let steps: Vec<Step> = CHECKS.iter().copied().chain(tests).collect();

    let mut summary = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let step = step.join(" ");
        eprintln!("\n=== {} of {}: cargo xtask {step}", index + 1, steps.len());
        let (took, notes) = timed(|| run_step(&step));
        let notes = notes
            .with_context(|| format!("step failed; run it alone with `cargo xtask {step}`"))?;
        summary.push(format!("{step:14} passed {:7.1} s", took.as_secs_f64()));
        summary.extend(notes.iter().filter_map(skipped));
    }
    if only_checks {
        summary.push(format!("{:14} not asked for", TESTS.join(" ")));
    }
    eprintln!("\n=== summary");
    for line in summary {
        eprintln!("{line}");
    }
    Ok(Vec::new())
}

fn run_step(step: &str) -> Outcome {
    let mut words = step.split(' ').map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let task = task::find(&name).with_context(|| format!("there is no task `{name}`"))?;
    let args: Vec<String> = words.collect();
    let notes = (task.run)(&args)?;
    for note in &notes {
        eprintln!("{name}: {note}");
    }
    Ok(notes)
}

fn skipped(note: &Note) -> Option<String> {
    match note {
        Note::Skipped(_) => Some(format!("{:14} {note}", "")),
        Note::Done(_) => None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a build step takes real time; nothing simulates it"
)]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}
