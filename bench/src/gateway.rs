//! The server under test: the raincheck binary, as a user would start it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::Process;

/// How long it may take to be ready. Far above any target: a miss is to be measured, not cut.
const READY: Duration = Duration::from_secs(120);

/// A running raincheck.
#[derive(Debug)]
pub struct Gateway {
    /// Its process.
    pub process: Process,
    /// Where clients are served.
    pub address: SocketAddr,
    /// All listeners, in the order of the config.
    pub listeners: Vec<SocketAddr>,
}

/// A data directory with a config beside it; several starts may share it.
#[derive(Debug)]
pub struct Home {
    directory: TempDir,
}

impl Home {
    /// An empty directory under `data` with a config of these routes.
    pub fn new(data: &Path, routes: &str) -> Result<Self> {
        Self::listening(data, "\"127.0.0.1:0\"", routes)
    }

    /// The same with these listeners, written as the config has them.
    pub fn listening(data: &Path, listen: &str, routes: &str) -> Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("raincheck-")
            .tempdir_in(data)?;
        let store = directory.path().join("store");
        let config = format!(
            "[server]\nlisten = {listen}\n[admin]\nlisten = \"127.0.0.1:0\"\n\
             [store]\npath = \"{}\"\n{routes}",
            store.display(),
        );
        std::fs::write(directory.path().join("raincheck.toml"), config)?;
        Ok(Self { directory })
    }

    /// Bytes of all files of the store.
    pub fn stored(&self) -> Result<u64> {
        directory_size(&self.directory.path().join("store"))
    }

    /// Starts raincheck on this directory and waits until it says that it is ready.
    pub async fn start(&self, program: &Path) -> Result<Gateway> {
        let config = self
            .directory
            .path()
            .join("raincheck.toml")
            .display()
            .to_string();
        let arguments = ["serve", "--config", &config, "--json"].map(str::to_owned);
        let log = self.directory.path().join("stderr.log");
        let mut process = Process::start("raincheck", program, &arguments, &[], Some(&log))?;
        let line = process.first_line(READY).await.with_context(|| {
            let talk = std::fs::read_to_string(&log).unwrap_or_default();
            format!("raincheck said: {talk}")
        })?;
        let ready: serde_json::Value = serde_json::from_str(&line).context("the ready line")?;
        let listeners: Vec<SocketAddr> = ready["listeners"]
            .as_array()
            .context("listeners of the ready line")?
            .iter()
            .filter_map(|address| address.as_str()?.parse().ok())
            .collect();
        Ok(Gateway {
            process,
            address: *listeners.first().context("a listener")?,
            listeners,
        })
    }
}

/// A route of a config: name, match, mode, upstream and further keys as TOML lines.
pub fn route(name: &str, mode: &str, upstream: SocketAddr, more: &str) -> String {
    format!(
        "[[route]]\nname = \"{name}\"\nmatch = \"/{name}/{{*rest}}\"\nmode = \"{mode}\"\n\
         upstream = \"http://{upstream}\"\n{more}\n"
    )
}

/// Builds the binary in release and says where it is.
pub fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = std::process::Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "raincheck"])
        .status()
        .context("cargo")?;
    anyhow::ensure!(status.success(), "raincheck does not build");
    let here = std::env::current_exe()?;
    Ok(here.parent().context("a directory")?.join("raincheck"))
}

/// What the binary calls itself.
pub fn version(program: &Path) -> Result<String> {
    let output = std::process::Command::new(program)
        .arg("--version")
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .split_whitespace()
        .nth(1)
        .unwrap_or("unknown")
        .to_owned())
}

fn directory_size(directory: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        total += if kind.is_dir() {
            directory_size(&entry.path())?
        } else {
            kind.len()
        };
    }
    Ok(total)
}
