//! The clients under test: each does one task and says how it went.

use std::path::PathBuf;
use std::process::Command;

use raincheck_e2e::Must;
use raincheck_e2e::process::{self, Child};
use serde_json::Value;

/// Which client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The one for browsers, in Node.
    Node,
    /// The one for Python.
    Python,
}

/// A client at its task.
pub struct Driver(pub Child);

impl Driver {
    /// Begins a task, such as `{"path": "/report", "init": {"method": "POST"}}`.
    pub fn start(kind: Kind, base: &str, task: &Value) -> Self {
        let (program, script) = match kind {
            Kind::Node => (PathBuf::from("node"), "fetch.mjs"),
            Kind::Python => (process::python(), "fetch.py"),
        };
        let mut command = Command::new(program);
        command
            .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients"))
            .args([script, base, &task.to_string()]);
        Self(Child::spawn(command))
    }

    /// What it says first of something: `ticket`, `progress`, `response` or `raised`.
    pub async fn says(&self, what: &str) -> Value {
        let start = format!("{what}: ");
        let line = self.0.line_with(&start).await;
        serde_json::from_str(&line[start.len()..]).must("JSON")
    }

    /// Everything it has said.
    pub fn all(&self) -> String {
        self.0.stdout()
    }
}
