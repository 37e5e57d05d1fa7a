//! `cargo xtask fmt`: one format for all code, so that no review is about it.

use crate::shell;
use crate::task::{Outcome, only_flag};

/// Formats, or with `--check` says what is not formatted.
pub fn run(args: &[String]) -> Outcome {
    let check = only_flag("fmt", "--check", args)?;
    let mut command = shell::cargo(&["fmt", "--all"])?;
    if check {
        command.arg("--check");
    }
    shell::run(&mut command)?;
    Ok(Vec::new())
}
