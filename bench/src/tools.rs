//! The load generators of others: wrk for HTTP/1, h2load for HTTP/2. Both cost less of the shared
//! cores than ours, so what a relay costs shows more clearly.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use hdrhistogram::Histogram;
use tokio::process::Command;

use crate::proxies::program;

/// What wrk runs: the method and body, and its figures at the end in a form that is easy to read.
const SCRIPT: &str = r#"
wrk.method = "METHOD"
wrk.body = BODY
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
"#;

/// One turn of load.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Where, with the scheme.
    pub url: String,
    /// Connections at the same time.
    pub connections: usize,
    /// Requests at the same time on each; more than one on HTTP/2 only.
    pub streams: usize,
    /// Bytes of the request's body; none: GET.
    pub body: Option<usize>,
    /// How long, in whole seconds.
    pub seconds: u64,
}

/// What a turn gave.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Answers.
    pub requests: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// Quantiles of the latency in milliseconds: 0.5, 0.99 and 0.999.
    pub millis: [f64; 3],
}

/// A directory with what the generators read and write.
#[derive(Debug)]
pub struct Tools {
    directory: tempfile::TempDir,
}

impl Tools {
    /// Makes the directory below `data`.
    pub fn new(data: &Path) -> Result<Self> {
        let mut builder = tempfile::Builder::new();
        let directory = builder.prefix("load-").tempdir_in(data)?;
        Ok(Self { directory })
    }

    /// HTTP/1 by wrk.
    pub async fn wrk(&self, turn: &Turn) -> Result<Figures> {
        let (method, body) = match turn.body {
            Some(size) => ("POST", format!("string.rep('x', {size})")),
            None => ("GET", "nil".to_owned()),
        };
        let script = SCRIPT.replace("METHOD", method).replace("BODY", &body);
        let file = self.file("wrk.lua");
        std::fs::write(&file, script)?;
        let text = run(Command::new(program("wrk")?)
            .args(["-t1", "--timeout", "60s", "-c"])
            .arg(turn.connections.to_string())
            .arg(format!("-d{}s", turn.seconds))
            .arg("-s")
            .arg(&file)
            .arg(&turn.url))
        .await?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("figures "))
            .with_context(|| format!("wrk said: {text}"))?;
        let numbers: Vec<u64> = line
            .split_whitespace()
            .filter_map(|number| number.parse().ok())
            .collect();
        let [requests, micros, p50, p99, p999, errors, statuses] = numbers[..] else {
            bail!("wrk said: {text}");
        };
        if errors + statuses > 0 {
            bail!(
                "{}: {requests} answers, {errors} errors, {statuses} of a wrong status",
                turn.url
            );
        }
        Ok(Figures {
            requests,
            elapsed: Duration::from_micros(micros),
            millis: [p50, p99, p999].map(|micros| micros as f64 / 1e3),
        })
    }

    /// HTTP/2 by h2load.
    pub async fn h2load(&self, turn: &Turn) -> Result<Figures> {
        let log = self.file("h2load.log");
        // It appends.
        let _ = std::fs::remove_file(&log);
        let mut command = Command::new(program("h2load")?);
        command
            .args(["-t1", "-c"])
            .arg(turn.connections.to_string())
            .args(["-m", &turn.streams.to_string()])
            .args(["-D", &turn.seconds.to_string()])
            .arg(format!("--log-file={}", log.display()));
        if let Some(size) = turn.body {
            let body = self.file("body");
            std::fs::write(&body, vec![b'x'; size])?;
            command.arg("-d").arg(body);
        }
        let text = run(command.arg(&turn.url)).await?;
        if !text.contains("Application protocol: h2") {
            bail!("{} does not speak HTTP/2; h2load said: {text}", turn.url);
        }
        let mut latency = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3)?;
        let mut wrong = 0;
        for line in std::fs::read_to_string(&log)?.lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                [_, "200", micros] => latency.saturating_record(micros.parse()?),
                _ => wrong += 1,
            }
        }
        if wrong > 0 {
            bail!(
                "{}: {} answers, {wrong} others: {text}",
                turn.url,
                latency.len()
            );
        }
        let quantile = |quantile| latency.value_at_quantile(quantile) as f64 / 1e3;
        Ok(Figures {
            requests: latency.len(),
            elapsed: Duration::from_secs(turn.seconds),
            millis: [0.5, 0.99, 0.999].map(quantile),
        })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

async fn run(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}
