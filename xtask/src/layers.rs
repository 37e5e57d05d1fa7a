//! `cargo xtask layers`: the dependencies of the crates against the table in ARCHITECTURE.md.
//!
//! The table is the truth that people read, so it is also the one that is checked: a crate that is
//! missing there, or reaches further than its row says, fails.

mod check;
mod table;

#[cfg(test)]
mod tests;

use anyhow::{Context, bail};

use crate::task::{Note, Outcome, no_args};
use crate::{metadata, shell};

/// The page that has the table.
const PAGE: &str = "ARCHITECTURE.md";

/// Reads the table, asks cargo, prints each difference.
pub fn run(args: &[String]) -> Outcome {
    no_args("layers", args)?;
    let text = std::fs::read_to_string(shell::root()?.join(PAGE))
        .with_context(|| format!("cannot read {PAGE}"))?;
    let rows = table::parse(&text).with_context(|| format!("the level table of {PAGE}"))?;
    let packages = metadata::read()?.packages;
    let problems = check::check(&rows, &packages);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if !problems.is_empty() {
        bail!(
            "{} dependencies differ from the level table of {PAGE}",
            problems.len()
        );
    }
    Ok(vec![Note::Done(format!(
        "{} packages keep to their levels",
        packages.len()
    ))])
}
