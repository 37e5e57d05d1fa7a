//! `cargo xtask lint`: clippy over everything, and cargo-deny where it is installed.

use crate::shell;
use crate::task::{Note, Outcome, no_args};

const CLIPPY: &[&str] = &[
    "clippy",
    "--workspace",
    "--all-targets",
    "--locked",
    "--",
    "-D",
    "warnings",
];

/// Runs both; says so when cargo-deny is not there.
pub fn run(args: &[String]) -> Outcome {
    no_args("lint", args)?;
    shell::run(&mut shell::cargo(CLIPPY)?)?;
    if !shell::succeeds(&mut shell::cargo(&["deny", "--version"])?) {
        return Ok(vec![Note::Skipped(
            "cargo-deny is not installed (`cargo install --locked cargo-deny`), so licences, \
             advisories and banned crates of deny.toml were not checked"
                .to_owned(),
        )]);
    }
    shell::run(&mut shell::cargo(&["deny", "--workspace", "check"])?)?;
    Ok(Vec::new())
}
