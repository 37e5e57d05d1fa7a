//! The peer: Restate, a durable execution server, with a handler that does nothing.
//!
//! The server's binary ships inside its npm package, one per platform. It runs with its defaults:
//! the write-ahead log of its log server is synced before a send is acknowledged.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::load::{Client, request};
use crate::process::Process;

/// The version that is measured.
pub const SERVER_VERSION: &str = "1.7.12";
/// The library of the handler.
pub const SDK_VERSION: &str = "1.17.2";

const SERVICE: &str = include_str!("service.mjs");
const READY: Duration = Duration::from_secs(60);

/// A running server with its registered handler.
#[derive(Debug)]
pub struct Restate {
    /// The server's process.
    pub server: Process,
    /// Where sends go.
    pub ingress: SocketAddr,
    _service: Process,
    _data: TempDir,
}

impl Restate {
    /// Starts a fresh server with data under `data`, and registers the handler.
    pub async fn start(home: &Path, data: &Path) -> Result<Self> {
        let data = tempfile::Builder::new()
            .prefix("restate-")
            .tempdir_in(data)?;
        let mut service = start_service(home, data.path())?;
        let port = wait_for_port(&mut service).await?;
        let (ingress, admin, fabric) = (free_address()?, free_address()?, free_address()?);
        let server = start_server(home, data.path(), [ingress, admin, fabric])?;
        let mut started = Self {
            server,
            _service: service,
            ingress,
            _data: data,
        };
        started.register(admin, port).await?;
        Ok(started)
    }

    /// A durable send with this body: acknowledged once stored, run later.
    pub fn send(body: &[u8]) -> Vec<u8> {
        request(
            "POST",
            "/Noop/run/send",
            "content-type: application/octet-stream\r\n",
            body,
        )
    }

    /// A durable send that will not run during the measurement.
    pub fn send_later(body: &[u8]) -> Vec<u8> {
        let headers = "content-type: application/octet-stream\r\n";
        request("POST", "/Noop/run/send?delay=1h", headers, body)
    }

    /// Waits for the output of an invocation.
    pub fn attach(invocation: &str) -> Vec<u8> {
        request(
            "GET",
            &format!("/restate/invocation/{invocation}/attach"),
            "",
            b"",
        )
    }

    /// How often the handler has run.
    pub async fn count(&self) -> Result<u64> {
        let mut client = Client::new(self.ingress);
        let status = client
            .call(&request("POST", "/Noop/count", "", b""), true)
            .await?;
        let text = String::from_utf8_lossy(client.body()).trim().to_owned();
        text.parse()
            .with_context(|| format!("the count is {text:?} with status {status}"))
    }

    async fn register(&mut self, admin: SocketAddr, port: u16) -> Result<()> {
        let body = format!("{{\"uri\":\"http://127.0.0.1:{port}\"}}");
        let headers = "content-type: application/json\r\n";
        let message = request("POST", "/deployments", headers, body.as_bytes());
        let begun = Instant::now();
        loop {
            let answer = Client::new(admin).call(&message, true).await;
            if matches!(answer, Ok(200 | 201)) {
                break;
            }
            if self.server.ended() || begun.elapsed() > READY {
                bail!("Restate did not take the handler: {answer:?}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The ingress learns of the handler a moment later.
        while self.count().await.is_err() {
            if begun.elapsed() > READY {
                bail!("Restate never ran the handler");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }
}

/// The invocation's id in the answer to a send.
pub fn invocation_id(body: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(body)?;
    Ok(answer["invocationId"]
        .as_str()
        .context("no invocationId")?
        .to_owned())
}

/// Installs both packages under `home` unless they are there, without running their scripts.
pub fn install(home: &Path) -> Result<()> {
    std::fs::create_dir_all(home)?;
    std::fs::write(home.join("service.mjs"), SERVICE)?;
    if installed(home).as_deref() == Some(SERVER_VERSION) && binary(home).is_ok() {
        return Ok(());
    }
    eprintln!("installing Restate {SERVER_VERSION} with npm");
    let status = std::process::Command::new("npm")
        .args([
            "install",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--prefix",
        ])
        .arg(home)
        .arg(format!("@restatedev/restate-server@{SERVER_VERSION}"))
        .arg(format!("@restatedev/restate-sdk@{SDK_VERSION}"))
        .stdout(std::process::Stdio::null())
        .status()
        .context("npm, which brings Restate, is missing")?;
    if !status.success() {
        bail!("npm could not install Restate");
    }
    binary(home).map(drop)
}

fn installed(home: &Path) -> Option<String> {
    let file = home.join("node_modules/@restatedev/restate-server/package.json");
    let package: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    Some(package["version"].as_str()?.to_owned())
}

fn binary(home: &Path) -> Result<PathBuf> {
    let machine = match std::env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => bail!("Restate ships no binary for {other}"),
    };
    let package = format!("node_modules/@restatedev/restate-server-linux-{machine}");
    let path = home.join(package).join("bin/restate-server");
    if !path.exists() {
        bail!("Restate's package has no server at {}", path.display());
    }
    Ok(path)
}

fn start_service(home: &Path, data: &Path) -> Result<Process> {
    let script = home.join("service.mjs").display().to_string();
    let quiet = [("RESTATE_LOGGING".to_owned(), "ERROR".to_owned())];
    let log = data.join("service.log");
    Process::start(
        "the handler",
        Path::new("node"),
        &[script],
        &quiet,
        Some(&log),
    )
}

async fn wait_for_port(service: &mut Process) -> Result<u16> {
    loop {
        let line = service.first_line(READY).await?;
        if let Some(port) = line.strip_prefix("listening ") {
            return port.trim().parse().context("the port of the handler");
        }
    }
}

fn start_server(home: &Path, data: &Path, addresses: [SocketAddr; 3]) -> Result<Process> {
    let [ingress, admin, fabric] = addresses.map(|address| address.port().to_string());
    let environment = [
        ("RESTATE_INGRESS__BIND_PORT", ingress),
        ("RESTATE_ADMIN__BIND_PORT", admin),
        ("RESTATE_BIND_PORT", fabric),
        ("RESTATE_DISABLE_TELEMETRY", "true".into()),
        ("DO_NOT_TRACK", "1".into()),
        ("RESTATE_LOG_FILTER", "warn".into()),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    let base = data.display().to_string();
    let arguments = [
        [
            "--no-logo",
            "--node-name",
            "bench",
            "--bind-ip",
            "127.0.0.1",
            "--listen-mode",
            "tcp",
        ]
        .map(str::to_owned)
        .to_vec(),
        vec!["--base-dir".into(), base],
    ]
    .concat();
    let log = data.join("server.log");
    Process::start(
        "Restate",
        &binary(home)?,
        &arguments,
        &environment,
        Some(&log),
    )
}

/// An address that was free a moment ago: Restate cannot be told to choose and say its own.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
