//! A child process whose output is kept and shown when the test fails.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::sync::watch;

use crate::bound::{Must, WAIT};

/// How a process ended and what it said.
#[derive(Clone, Debug)]
pub struct Exit {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Everything on stdout.
    pub stdout: String,
    /// Everything on stderr.
    pub stderr: String,
}

type Text = Arc<watch::Sender<String>>;

/// A running process, the leader of a process group of its own.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    stdout: Text,
    stderr: Text,
    status: watch::Receiver<Option<ExitStatus>>,
}

impl Child {
    /// Starts it with stdin closed and both outputs captured.
    #[must_use]
    pub fn spawn(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command.spawn().must(&format!("starting {command:?}"));
        let pid = Pid::from_child(&child);
        let (stdout, stderr) = (Text::default(), Text::default());
        let readers = [
            keep(child.stdout.take().must("stdout"), stdout.clone()),
            keep(child.stderr.take().must("stderr"), stderr.clone()),
        ];
        let (ended, status) = watch::channel(None);
        thread::spawn(move || {
            let status = child.wait().ok();
            // The output is complete only when its readers are through.
            for reader in readers {
                let _ = reader.join();
            }
            ended.send_replace(status);
        });
        Self {
            pid,
            stdout,
            stderr,
            status,
        }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status.borrow().is_none()
    }

    /// Sends a signal to it and to no other: a successor that it has started gets none.
    pub fn signal_alone(&self, signal: Signal) {
        if self.is_running() {
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Sends a signal to it and to its children.
    pub fn signal(&self, signal: Signal) {
        if self.is_running() {
            let _ = kill_process_group(self.pid, signal);
        }
    }

    /// What it has written to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.borrow().clone()
    }

    /// What it has written to stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.borrow().clone()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn exited(&self) -> Exit {
        self.exited_within(WAIT).await
    }

    /// The same for what takes longer.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn exited_within(&self, bound: Duration) -> Exit {
        let mut status = self.status.clone();
        let ended = tokio::time::timeout(bound, status.wait_for(Option::is_some)).await;
        if ended.is_err() {
            panic!(
                "the process did not end; it said:\n{}{}",
                self.stdout(),
                self.stderr()
            );
        }
        let status = *self.status.borrow();
        Exit {
            code: status.and_then(|status| status.code()),
            signal: status.and_then(|status| status.signal()),
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Waits for a whole line on stdout that contains `text`.
    ///
    /// # Panics
    /// When the process ends first, or says nothing in time.
    pub async fn line_with(&self, text: &str) -> String {
        match self.try_line_with(text).await {
            Some(line) => line,
            None => panic!(
                "no line with {text:?} on stdout; it said:\n{}{}",
                self.stdout(),
                self.stderr(),
            ),
        }
    }

    /// The same; none if the process ends first, or says nothing in time.
    pub async fn try_line_with(&self, text: &str) -> Option<String> {
        let mut stdout = self.stdout.subscribe();
        let mut status = self.status.clone();
        let seen = tokio::time::timeout(WAIT, async {
            tokio::select! {
                biased;
                _ = stdout.wait_for(|all| line(all, text).is_some()) => {}
                _ = status.wait_for(Option::is_some) => {}
            }
        });
        _ = seen.await;
        line(&self.stdout.borrow(), text)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if thread::panicking() {
            eprintln!(
                "--- stderr of process {} ---\n{}",
                self.pid(),
                self.stderr()
            );
        }
    }
}

fn line(all: &str, text: &str) -> Option<String> {
    let whole = &all[..all.rfind('\n')?];
    whole
        .lines()
        .find(|line| line.contains(text))
        .map(Into::into)
}

fn keep(output: impl Read + Send + 'static, text: Text) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|len| len > 0) {
            text.send_modify(|all| all.push_str(&String::from_utf8_lossy(&line)));
            line.clear();
        }
    })
}
