//! `cargo xtask e2e`: only the black-box tests of the binary.

use anyhow::bail;

use crate::shell;
use crate::task::Outcome;
use crate::test::{binary, needs};

/// Builds the binary, then passes its arguments to `cargo test`.
pub fn run(args: &[String]) -> Outcome {
    let notes = needs::install()?;
    let binary = binary::build()?;
    let mut command = shell::cargo(&["test", "-p", binary::E2E_PACKAGE, "--locked"])?;
    binary::tell(&mut command, &binary)?;
    if shell::run(command.args(args)).is_err() {
        bail!("black-box tests failed");
    }
    Ok(notes)
}
