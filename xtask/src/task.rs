//! The table of tasks: what `cargo xtask` lists and what a name runs.

use std::fmt;
use std::fmt::Write as _;

use anyhow::bail;

use crate::{bench, ci, docs, e2e, fmt as format, fuzz, layers, lint, sim, test, tidy};

/// What a task has to say about a run that did not fail.
pub enum Note {
    /// A check that did not run. It is reported by name and never counted as passed.
    Skipped(String),
    /// Anything else worth a line, such as the number of files that were read.
    Done(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Skipped(what) => write!(f, "SKIPPED, not passed: {what}"),
            Note::Done(what) => write!(f, "{what}"),
        }
    }
}

/// The result of every task.
pub type Outcome = anyhow::Result<Vec<Note>>;

/// One task of `cargo xtask`.
pub struct Task {
    pub name: &'static str,
    pub usage: &'static str,
    pub summary: &'static str,
    pub run: fn(&[String]) -> Outcome,
}

/// Every task, in the order in which a change usually needs them.
pub const TASKS: &[Task] = &[
    Task {
        name: "fmt",
        usage: "fmt [--check]",
        summary: "format the code, or only say what is not formatted",
        run: format::run,
    },
    Task {
        name: "tidy",
        usage: "tidy",
        summary: "check file and function length, banned text, missing `//!`, problem pages",
        run: tidy::run,
    },
    Task {
        name: "layers",
        usage: "layers",
        summary: "check the crates' dependencies against the table in ARCHITECTURE.md",
        run: layers::run,
    },
    Task {
        name: "lint",
        usage: "lint",
        summary: "run clippy with warnings as errors, and cargo-deny, installed if it is missing",
        run: lint::run,
    },
    Task {
        name: "docs",
        usage: "docs [--check]",
        summary: "print the reference pages from the code, or only say which have drifted",
        run: docs::run,
    },
    Task {
        name: "test",
        usage: "test [ARGS]",
        summary: "install what the tests need, then run them all (ARGS: a selection for the runner)",
        run: test::run,
    },
    Task {
        name: "e2e",
        usage: "e2e [ARGS]",
        summary: "run only the black-box tests of the binary",
        run: e2e::run,
    },
    Task {
        name: "bench",
        usage: "bench [ARGS]",
        summary: "measure; writes docs/benchmarks.md",
        run: bench::run,
    },
    Task {
        name: "sim",
        usage: "sim [ARGS]",
        summary: "simulate crashes, full disks and lost connections (ARGS: --help, --seeds N, --seed S)",
        run: sim::run,
    },
    Task {
        name: "fuzz",
        usage: "fuzz [ARGS]",
        summary: "fuzz the targets of fuzz/ (ARGS: [TARGET [FILE]] [--seconds N | --merge])",
        run: fuzz::run,
    },
    Task {
        name: "ci",
        usage: "ci [--checks]",
        summary: "run everything that must pass before a change lands (--checks: all but the tests)",
        run: ci::run,
    },
];

/// The task of that name.
pub fn find(name: &str) -> Option<&'static Task> {
    TASKS.iter().find(|task| task.name == name)
}

/// One line for each task.
pub fn list() -> String {
    let width = TASKS.iter().map(|task| task.usage.len()).max().unwrap_or(0);
    let mut text = String::from("usage: cargo xtask TASK\n\n");
    for Task { usage, summary, .. } in TASKS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {usage:width$}  {summary}");
    }
    text
}

/// Refuses arguments that a task does not know, so that a mistyped flag is never ignored.
pub fn no_args(name: &str, args: &[String]) -> anyhow::Result<()> {
    match args.first() {
        None => Ok(()),
        Some(arg) => bail!("`cargo xtask {name}` does not know the argument `{arg}`"),
    }
}

/// Reads a task's only flag: true if it is there, an error if anything else is.
pub fn only_flag(name: &str, flag: &str, args: &[String]) -> anyhow::Result<bool> {
    match args {
        [] => Ok(false),
        [arg] if arg == flag => Ok(true),
        _ => bail!(
            "`cargo xtask {name}` takes only `{flag}`, not `{}`",
            args.join(" ")
        ),
    }
}
