//! The real `curl`, as a client that nobody here wrote.

use std::process::{Command, Output, Stdio};

use crate::bound::Must;

/// What curl printed.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its exit code.
    pub code: i32,
    /// The last response head, as curl prints it.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
    /// What it complained about.
    pub stderr: String,
}

impl Answer {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        let status = self
            .head
            .split_ascii_whitespace()
            .nth(1)
            .and_then(|text| text.parse().ok());
        status.must(&format!("a status in {:?}; {}", self.head, self.stderr))
    }

    /// All values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(have, _)| have.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Runs curl with these arguments, bounded, without a proxy or a config file.
pub async fn curl(args: &[&str]) -> Answer {
    let head = tempfile::NamedTempFile::new().must("a file for the head");
    let mut command = Command::new("curl");
    command
        .args(["-q", "-sS", "--noproxy", "*", "--max-time", "20", "-D"])
        .arg(head.path());
    command.args(args).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output());
    let output: Output = run.await.must("curl's thread").must("curl is installed");
    let heads = std::fs::read_to_string(head.path()).must("curl's head file");
    let last = heads
        .trim_end()
        .rsplit("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .to_owned();
    Answer {
        code: output.status.code().unwrap_or(-1),
        head: last,
        body: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
