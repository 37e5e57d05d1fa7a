//! What every suite needs: where things are, which versions run, and how much load is wanted.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::Options;
use crate::load::{Outcome, Plan, repeat};
use crate::report::{mebibytes, number};
use crate::{gateway, restate};

/// The surroundings of a run.
#[derive(Debug)]
pub struct Context {
    /// The raincheck binary; none when only the peer is measured.
    pub raincheck: Option<PathBuf>,
    /// Where Restate is installed; none when it is not measured.
    pub restate: Option<PathBuf>,
    /// Where servers keep their data: under the target directory, a real disk as a rule.
    pub data: PathBuf,
    /// Where results are kept between runs.
    pub results: PathBuf,
    /// The page that `--write` writes.
    pub page: PathBuf,
    /// Names and versions of everything that matters to the figures.
    pub versions: Vec<(String, String)>,
    /// Time of load for each figure.
    pub time: Duration,
    /// Numbers of connections.
    pub connections: Vec<usize>,
    /// Jobs for the start with a full queue.
    pub queued: u64,
    /// Bytes of a large body.
    pub body: u64,
    /// Requests held at once.
    pub held: Vec<usize>,
}

impl Context {
    /// Builds, installs and looks around.
    pub fn prepare(options: &Options) -> Result<Self> {
        let exe = std::env::current_exe()?;
        let target = exe
            .ancestors()
            .nth(2)
            .context("the target directory")?
            .join("bench");
        let data = target.join("data");
        std::fs::create_dir_all(&data)?;
        let raincheck = match (&options.raincheck, options.peer_only) {
            (_, true) => None,
            (Some(path), _) => Some(path.clone()),
            (None, _) => Some(gateway::build()?),
        };
        let restate = (!options.no_peer).then(|| target.join("restate"));
        if let Some(home) = &restate {
            restate::install(home)?;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the workspace")?;
        Ok(Self {
            versions: versions(raincheck.as_deref(), restate.is_some())?,
            raincheck,
            restate,
            data,
            results: target.join("results"),
            page: root.join("docs/benchmarks.md"),
            time: Duration::from_secs(options.seconds),
            connections: options.connections.clone(),
            queued: options.queued,
            body: options.body_mib << 20,
            held: options.held.clone(),
        })
    }

    /// The load of one figure.
    pub fn plan(&self, address: SocketAddr, connections: usize) -> Plan {
        Plan {
            address,
            connections,
            count: 2_000_000,
            time: self.time,
        }
    }

    /// A second of load before a figure, so that connections, pools and caches are there.
    pub async fn warm_up(&self, plan: Plan, request: &[u8]) -> Result<Outcome> {
        let time = Duration::from_secs(1).min(plan.time);
        repeat(Plan { time, ..plan }, request.to_vec()).await
    }

    /// The command that repeats a suite.
    pub fn command(&self, suite: &str, options: &Options) -> String {
        let connections: Vec<String> = options.connections.iter().map(usize::to_string).collect();
        let mut command = format!(
            "cargo xtask bench {suite} --seconds {} --connections {}",
            options.seconds,
            connections.join(",")
        );
        match suite {
            "start" => command.push_str(&format!(" --queued {}", options.queued)),
            "bodies" => command.push_str(&format!(" --body-mib {}", options.body_mib)),
            _ => {}
        }
        command
    }
}

fn versions(raincheck: Option<&Path>, peer: bool) -> Result<Vec<(String, String)>> {
    let mut versions = Vec::new();
    if let Some(program) = raincheck {
        versions.push(("raincheck".to_owned(), gateway::version(program)?));
    }
    if peer {
        versions.push(("Restate".to_owned(), restate::SERVER_VERSION.to_owned()));
        versions.push((
            "its TypeScript SDK".to_owned(),
            restate::SDK_VERSION.to_owned(),
        ));
        let node = std::process::Command::new("node")
            .arg("--version")
            .output()?
            .stdout;
        versions.push((
            "Node".to_owned(),
            String::from_utf8_lossy(&node).trim().to_owned(),
        ));
    }
    let cores = std::thread::available_parallelism()?.get();
    versions.push((format!("{cores} cores,"), memory()?));
    Ok(versions)
}

fn memory() -> Result<String> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let total = text
        .split_whitespace()
        .nth(1)
        .context("MemTotal")?
        .parse::<u64>()?;
    Ok(format!(
        "{} GiB of memory",
        number((mebibytes(total * 1024) / 1024.0).round())
    ))
}
