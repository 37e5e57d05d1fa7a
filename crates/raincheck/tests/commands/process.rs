//! Running the binary without any setting from the environment of the tests.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// How a run ended.
#[derive(Debug)]
pub struct Exit {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Exit {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Exit {
    /// Fails unless it ended with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

/// The binary with these arguments.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raincheck"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAINCHECK_") {
            command.env_remove(name);
        }
    }
    // Nobody can make a file here, so no test leaves one to another.
    command.current_dir("/proc");
    command.args(args).env("NO_COLOR", "1");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs it to its end.
pub fn run(args: &[&str]) -> Exit {
    command(args).output().unwrap().into()
}

/// Runs it to its end with this on stdin.
pub fn run_with(args: &[&str], stdin: &str) -> Exit {
    let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap().into()
}
