//! A server under test as a process: started, watched through `/proc`, and always stopped.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::sync::mpsc;

/// A running child process, killed with its whole process group when dropped.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time of all its threads, in seconds.
    pub cpu: f64,
    /// Resident memory now, in bytes.
    pub resident: u64,
    /// Resident memory at its highest, in bytes.
    pub peak: u64,
    /// Bytes that it caused to be written to a disk.
    pub written: u64,
}

impl Process {
    /// Starts a program in a process group of its own. Its standard output is read line by line,
    /// its errors go to the file `log` or nowhere.
    pub fn start(
        name: &'static str,
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: Option<&Path>,
    ) -> Result<Self> {
        let errors = match log {
            Some(path) => Stdio::from(std::fs::File::create(path)?),
            None => Stdio::null(),
        };
        let mut child = Command::new(program)
            .args(arguments)
            .envs(environment.iter().map(|(key, value)| (key, value)))
            // The child sees the end of its input when this process is gone, however it went.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .process_group(0)
            .spawn()
            .with_context(|| format!("{name} does not start"))?;
        let output = child.stdout.take().context("standard output")?;
        let (sender, lines) = mpsc::unbounded_channel();
        // Reads to the end even when nobody listens any more: a full pipe would stop the server.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { name, child, lines })
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The next line of its standard output.
    pub async fn first_line(&mut self, within: Duration) -> Result<String> {
        match tokio::time::timeout(within, self.lines.recv()).await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => bail!("{} ended before it was ready", self.name),
            Err(_) => bail!("{} was not ready within {within:?}", self.name),
        }
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let pid = self.child.id();
        let read = |file: &str| {
            std::fs::read_to_string(format!("/proc/{pid}/{file}"))
                .with_context(|| format!("{} is gone", self.name))
        };
        let status = read("status")?;
        Ok(Usage {
            cpu: cpu_seconds(&read("stat")?)?,
            resident: field(&status, "VmRSS:") * 1024,
            peak: field(&status, "VmHWM:") * 1024,
            written: field(&read("io")?, "write_bytes:"),
        })
    }

    /// What it and all processes below it use together. Memory that several of them share is
    /// counted once: each has its part of it.
    pub fn tree_usage(&self) -> Result<Usage> {
        let mut total = Usage::default();
        for pid in tree(self.child.id()) {
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
                // It ended between two looks.
                continue;
            };
            total.cpu += cpu_seconds(&stat)?;
            let memory = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"));
            total.resident += field(&memory.unwrap_or_default(), "Pss:") * 1024;
        }
        total.peak = total.resident;
        Ok(total)
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills it at once, as `kill -9` does, and waits for its end.
    pub fn kill(&mut self) {
        if let Some(group) = rustix::process::Pid::from_raw(self.child.id().cast_signed())
            && !self.ended()
        {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Fields 14 to 17 of `/proc/PID/stat`: user and system time, own and of children waited for. The
/// second field, the name, may hold blanks, so counting starts after its closing parenthesis.
fn cpu_seconds(stat: &str) -> Result<f64> {
    let (_, rest) = stat.rsplit_once(')').context("/proc/PID/stat")?;
    let ticks: u64 = rest
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A process and all below it.
fn tree(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let below = children
        .split_whitespace()
        .filter_map(|child| child.parse().ok())
        .flat_map(tree);
    std::iter::once(pid).chain(below).collect()
}

fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_after_a_name_with_blanks() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 5 0 100 0 0";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(cpu_seconds(stat).unwrap(), 300.0 / ticks);
    }

    #[test]
    fn fields_are_found_by_name() {
        assert_eq!(field("VmPeak:\t 9 kB\nVmRSS:\t  12 kB\n", "VmRSS:"), 12);
        assert_eq!(field("rchar: 1\n", "write_bytes:"), 0);
    }
}
