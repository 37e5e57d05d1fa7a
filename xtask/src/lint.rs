//! `cargo xtask lint`: clippy over everything, and cargo-deny, which it installs where it is missing.

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

/// The version that was measured: an unoptimised build takes a minute of one core and is as right.
const INSTALL: &[&str] = &[
    "install",
    "cargo-deny",
    "--version",
    "0.20.2",
    "--locked",
    "--debug",
];

/// Runs both. A machine without cargo-deny gets it; one without a network is told what nobody looked
/// at.
pub fn run(args: &[String]) -> Outcome {
    no_args("lint", args)?;
    shell::run(&mut shell::cargo(CLIPPY)?)?;
    let mut notes = Vec::new();
    if !shell::succeeds(&mut shell::cargo(&["deny", "--version"])?) {
        if let Err(error) = shell::run(&mut shell::cargo(INSTALL)?) {
            notes.push(Note::Skipped(format!(
                "licences, sources and banned packages of deny.toml: cargo-deny is not there and \
                 cannot be installed ({error}); run this again where there is a network"
            )));
            return Ok(notes);
        }
        notes.push(Note::Done("installed cargo-deny".to_owned()));
    }
    shell::run(&mut shell::cargo(DENY)?)?;
    notes.push(Note::Skipped(
        "advisories, because they change without the code: `cargo deny check advisories`"
            .to_owned(),
    ));
    Ok(notes)
}
