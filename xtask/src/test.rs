//! `cargo xtask test`: installs what the tests need, then runs every test of the workspace.
//!
//! The plain test runner is enough: a fresh machine has nothing but the Rust toolchain. Where
//! cargo-nextest is installed it is used instead, because it runs the tests of all packages side by
//! side, the slow ones last; doc tests, which it cannot run, come first.

pub mod binary;
mod count;
pub mod needs;
pub mod packages;

use std::process::Command;

use anyhow::{Context, bail};

use crate::shell::{self, Stream};
use crate::task::Outcome;
use count::Count;

/// One run of a test runner: its arguments, and the stream on which it says how it ended.
struct Run {
    args: Vec<String>,
    closing: Stream,
}

/// Runs everything, or with arguments the selection they make.
pub fn run(args: &[String]) -> Outcome {
    for note in needs::install()? {
        eprintln!("test: {note}");
    }
    let binary = binary::build()?;
    let nextest = shell::succeeds(&mut shell::cargo(&["nextest", "--version"])?);
    let runs = if nextest {
        with_nextest(args)
    } else {
        with_cargo(args)
    };

    let mut count = Count::default();
    let mut failed = Vec::new();
    for run in runs {
        let mut command = command(&run)?;
        binary::tell(&mut command, &binary)?;
        let line = shell::line(&command);
        let passed = shell::watch(&mut command, run.closing, &mut |text| count.see(text))
            .with_context(|| format!("`{line}` could not be watched"))?;
        if !passed {
            failed.push(line);
        }
    }
    eprintln!();
    for line in &failed {
        eprintln!("failed: {line}");
    }
    println!("tests: {count}");
    if !failed.is_empty() {
        bail!("tests failed; the failures are above, by name");
    }
    if count.passed == 0 {
        bail!("no test was run");
    }
    Ok(Vec::new())
}

fn command(run: &Run) -> anyhow::Result<Command> {
    let args: Vec<&str> = run.args.iter().map(String::as_str).collect();
    shell::cargo(&args)
}

fn with_nextest(args: &[String]) -> Vec<Run> {
    let base = ["nextest", "run", "--locked", "--no-fail-fast"];
    if !args.is_empty() {
        return vec![Run {
            args: words(&base, args),
            closing: Stream::Stderr,
        }];
    }
    let doc = ["test", "--doc", "--workspace", "--locked", "--no-fail-fast"];
    vec![
        Run {
            args: words(&doc, &[] as &[&str]),
            closing: Stream::Stdout,
        },
        Run {
            args: words(&base, &["--workspace"]),
            closing: Stream::Stderr,
        },
    ]
}

/// Two runs, so that the slow black-box tests come after everything that can fail fast.
fn with_cargo(args: &[String]) -> Vec<Run> {
    let base = ["test", "--locked", "--no-fail-fast"];
    if !args.is_empty() {
        return vec![Run {
            args: words(&base, args),
            closing: Stream::Stdout,
        }];
    }
    let fast = ["--workspace", "--exclude", binary::E2E_PACKAGE];
    vec![
        Run {
            args: words(&base, &fast),
            closing: Stream::Stdout,
        },
        Run {
            args: words(&base, &["-p", binary::E2E_PACKAGE]),
            closing: Stream::Stdout,
        },
    ]
}

fn words(base: &[&str], more: &[impl AsRef<str>]) -> Vec<String> {
    let more = more.iter().map(AsRef::as_ref);
    base.iter()
        .copied()
        .chain(more)
        .map(str::to_owned)
        .collect()
}
