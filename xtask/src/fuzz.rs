//! `cargo xtask fuzz`: builds the fuzz targets with coverage and lets the fuzzer loose on them.
//!
//! Works with the stable toolchain and a C++ compiler: the passes that count coverage are in every
//! rustc, and `instrument` adds their flags for the crates of this workspace alone, so that all
//! others are shared with a plain build. See docs/design/0003-fuzzing.md.

mod instrument;
mod options;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};

use crate::task::{Note, Outcome};
use crate::test::needs;
use crate::{metadata, shell};
use options::{Job, Options};

pub use instrument::as_compiler;

/// Bytes of the longest input.
const INPUT_BYTES_MAX: u32 = 4096;
/// Seconds that one input may take, and MiB that one run may use.
const INPUT_SECONDS_MAX: u32 = 10;
const MEMORY_MIB_MAX: u32 = 2048;
/// With fewer runs than this something is wrong with the target or the machine.
const RUNS_MIN: u64 = 20;

/// Where things are.
struct Places {
    program: PathBuf,
    /// What is kept with the code.
    kept: PathBuf,
    /// What this machine has found so far, and inputs that failed.
    found: PathBuf,
}

/// Runs one target, or all, or one input.
pub fn run(args: &[String]) -> Outcome {
    let places = places()?;
    let targets = targets(&places.kept)?;
    let options = Options::parse(args, &targets)?;
    needs::install_for_fuzzing()?;
    build()?;
    match &options.job {
        Job::Replay { target, input } => replay(&places, target, input),
        Job::Merge { target } => merge(&places, target),
        Job::Fuzz { targets, seconds } => fuzz(&places, targets, *seconds),
    }
}

fn places() -> anyhow::Result<Places> {
    let target_dir = metadata::read()?.target_dir;
    Ok(Places {
        program: target_dir.join("debug").join("raincheck-fuzz"),
        kept: shell::root()?.join("fuzz").join("corpus"),
        found: target_dir.join("fuzz"),
    })
}

/// The names of the targets: each has a directory in the corpus, which a test sees to.
fn targets(kept: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(kept).context("cannot read fuzz/corpus")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn build() -> anyhow::Result<()> {
    // The whole workspace is selected so that crates from outside have the features they have
    // everywhere else, and need not be built again.
    let mut command = shell::cargo(&[
        "build",
        "--workspace",
        "--bin",
        "raincheck-fuzz",
        "--features",
        "raincheck-fuzz/engine",
        "--locked",
    ])?;
    shell::run(instrument::ask(&mut command)?)
}

/// Runs as many targets at a time as there are processors.
fn fuzz(places: &Places, targets: &[String], seconds: u64) -> Outcome {
    let lanes = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    let lane = || {
        while let Some(target) = targets.get(next.fetch_add(1, Ordering::Relaxed)) {
            let ended = fuzz_one(places, target, seconds);
            if let Err(error) = ended {
                eprintln!("fuzz: {target}: {error:#}");
                failed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(target.as_str());
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..lanes.min(targets.len()) {
            scope.spawn(lane);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !failed.is_empty() {
        bail!(
            "the fuzzer found something in: {}; each input is named above, and `cargo xtask fuzz \
             TARGET FILE` runs it again. Once mended, it belongs into fuzz/corpus/TARGET",
            failed.join(", ")
        );
    }
    Ok(vec![Note::Done(format!(
        "{} targets, {seconds} s each, nothing found",
        targets.len()
    ))])
}

/// Shows one line of a target in which nothing was found, and everything of another.
fn fuzz_one(places: &Places, target: &str, seconds: u64) -> anyhow::Result<()> {
    let found = places.found.join(target);
    fs::create_dir_all(&found)?;
    let mut command = engine(places, target);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .args(["-print_final_stats=1", "-use_value_profile=1"])
        .args([&found, &places.kept.join(target)]);
    let output = command
        .output()
        .context("the fuzzer could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("{}\n{said}", output.status);
    }
    let runs = said
        .lines()
        .filter_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    let runs: u64 = runs
        .filter_map(|count| count.trim().parse::<u64>().ok())
        .sum();
    if runs < RUNS_MIN {
        bail!("only {runs} runs in {seconds} s: that is no fuzzing\n{said}");
    }
    let seen = said.lines().rev().find_map(|line| line.split_once("cov: "));
    let covered = seen
        .and_then(|(_, rest)| rest.split(' ').next())
        .unwrap_or("?");
    eprintln!("fuzz: {target:14} {runs:9} runs, {covered:>6} edges covered");
    Ok(())
}

fn replay(places: &Places, target: &str, input: &Path) -> Outcome {
    // The fuzzer runs where the workspace is; a file is named as seen from here.
    let input = fs::canonicalize(input).with_context(|| format!("no {}", input.display()))?;
    shell::run(engine(places, target).arg(input))?;
    Ok(vec![Note::Done("the input runs through".to_owned())])
}

/// Keeps of what was found here what adds coverage to what is kept with the code.
fn merge(places: &Places, target: &str) -> Outcome {
    let kept = places.kept.join(target);
    let mut command = engine(places, target);
    command
        .args(["-set_cover_merge=1", "-verbosity=0"])
        .args([&kept, &places.found.join(target)]);
    shell::run(&mut command)?;
    let count = fs::read_dir(&kept)?.count();
    Ok(vec![Note::Done(format!(
        "{count} inputs are kept for {target}"
    ))])
}

/// The fuzzer's program, about to run one target.
fn engine(places: &Places, target: &str) -> Command {
    let mut command = Command::new(&places.program);
    let artifacts = places.found.join(format!("{target}-"));
    command
        .env("RAINCHECK_FUZZ_TARGET", target)
        .env("RUST_BACKTRACE", "1")
        .arg(format!("-artifact_prefix={}", artifacts.display()))
        .arg(format!("-timeout={INPUT_SECONDS_MAX}"))
        .arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    command
}
