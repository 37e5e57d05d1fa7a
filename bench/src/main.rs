//! Measures raincheck against its promises and its peers, on one machine in one run.
//!
//! Each suite starts fresh servers, loads them for a bounded time and stops them. A target that is
//! missed is reported as missed; only a suite that could not be measured is an error.

mod context;
mod disk;
mod gateway;
mod load;
mod noop;
mod process;
mod proxies;
mod report;
mod restate;
mod suites;
mod tools;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use crate::context::Context;

/// What to measure and how long.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench", about = "Measure raincheck and its peers")]
struct Options {
    /// Suites to run; none: all of them.
    #[arg(value_parser = suites::NAMES)]
    suites: Vec<String>,
    /// Seconds of load for each figure.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Numbers of connections.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 512])]
    connections: Vec<usize>,
    /// Jobs in the store for the start with a full queue.
    #[arg(long, default_value_t = 1_000_000)]
    queued: u64,
    /// MiB of the large bodies.
    #[arg(long, default_value_t = 2048)]
    body_mib: u64,
    /// Numbers of requests that are held at once; fewer where descriptors do not allow them.
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 50_000])]
    held: Vec<usize>,
    /// Measures raincheck alone.
    #[arg(long)]
    no_peer: bool,
    /// Measures the peer alone.
    #[arg(long, conflicts_with = "no_peer")]
    peer_only: bool,
    /// A raincheck binary to measure; none: the release build of this tree.
    #[arg(long)]
    raincheck: Option<PathBuf>,
    /// Prints JSON on standard output.
    #[arg(long)]
    json: bool,
    /// Writes docs/benchmarks.md from the last results of all suites.
    #[arg(long)]
    write: bool,
    /// Measures nothing, and writes docs/benchmarks.md as `--write` does.
    #[arg(long, conflicts_with = "suites")]
    page: bool,
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    if std::env::args().nth(1).as_deref() == Some("noop-backend") {
        return runtime.block_on(noop::serve());
    }
    if std::env::args().nth(1).as_deref() == Some("load") {
        return runtime.block_on(single_load());
    }
    let options = Options::parse();
    runtime.block_on(async {
        let mut terminated =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        // Leaving by a branch drops the suite, and with it every server that it started.
        tokio::select! {
            result = measure(&options) => result,
            _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            _ = terminated.recv() => bail!("terminated"),
        }
    })
}

/// `load ADDRESS PATH CONNECTIONS SECONDS`: one figure of any server, to check the generator itself.
async fn single_load() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let [address, path, connections, seconds] = arguments.as_slice() else {
        bail!("usage: load ADDRESS PATH CONNECTIONS SECONDS");
    };
    let plan = load::Plan {
        address: address.parse()?,
        connections: connections.parse()?,
        count: 10_000_000,
        time: Duration::from_secs(seconds.parse()?),
    };
    let outcome = load::repeat(plan, load::request("GET", path, "", b"")).await?;
    println!(
        "{} per second, p50 {} ms, p99 {} ms, statuses {:?}, errors {}",
        report::number(outcome.rate()),
        report::number(outcome.millis(0.5)),
        report::number(outcome.millis(0.99)),
        outcome.statuses,
        outcome.errors,
    );
    Ok(())
}

async fn measure(options: &Options) -> Result<()> {
    let context = Context::prepare(options)?;
    let wanted: Vec<&str> = match options.suites.as_slice() {
        [] if options.page => Vec::new(),
        [] => suites::NAMES.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let mut sections = Vec::new();
    for suite in wanted {
        eprintln!("{suite}");
        let mut section = suites::run(suite, &context).await?;
        section.versions = context.versions.clone();
        section.command = context.command(suite, options);
        report::save(&context.results, &section)?;
        if !options.json {
            println!("{}", section.text());
        }
        sections.push(section);
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&sections)?);
    }
    if options.write || options.page {
        report::write_page(&context.page, &context.results, &suites::NAMES)?;
    }
    Ok(())
}
