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

/// All but advisories: those need a database from the network, and whether a change may land must
/// not depend on what was published this morning.
const DENY: &[&str] = &[
    "deny",
    "--workspace",
    "check",
    "bans",
    "licenses",
    "sources",
];

/// Runs both; says so when cargo-deny is not there.
pub fn run(args: &[String]) -> Outcome {
    no_args("lint", args)?;
    shell::run(&mut shell::cargo(CLIPPY)?)?;
    if !shell::succeeds(&mut shell::cargo(&["deny", "--version"])?) {
        return Ok(vec![Note::Skipped(
            "cargo-deny is not installed (`cargo install --locked cargo-deny`), so licences, \
             sources and banned packages of deny.toml were not checked"
                .to_owned(),
        )]);
    }
    shell::run(&mut shell::cargo(DENY)?)?;
    Ok(vec![Note::Skipped(
        "advisories, because they change without the code: `cargo deny check advisories`"
            .to_owned(),
    )])
}
