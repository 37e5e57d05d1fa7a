//! `cargo xtask docs`: reference pages are printed by the binary, so they cannot drift from it.

use std::path::Path;

use anyhow::{Context, bail};

use crate::shell;
use crate::task::{Note, Outcome, only_flag};

/// What the binary is asked for, and the page it goes to.
const PAGES: &[(&str, &str)] = &[
    ("defaults", "crates/config/src/defaults.toml"),
    ("cli", "docs/reference/cli.md"),
    ("config", "docs/reference/config.md"),
    ("exit-codes", "docs/reference/exit-codes.md"),
    ("metrics", "docs/reference/metrics.md"),
    ("state-machine", "docs/state-machine.md"),
    ("openapi", "docs/reference/openapi.json"),
    ("openapi-admin", "docs/reference/openapi-admin.json"),
];

const HEADER: &str =
    "<!-- Printed from the code by `cargo xtask docs`. Do not edit by hand. -->\n\n";

/// Writes the pages, or with `--check` fails if one of them is not what would be written.
pub fn run(args: &[String]) -> Outcome {
    let check = only_flag("docs", "--check", args)?;
    let root = shell::root()?;
    let mut drifted = Vec::new();
    for (what, page) in PAGES {
        let wanted = print(what, page)?;
        let path = root.join(page);
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if found == wanted {
            continue;
        }
        if check {
            drifted.push(difference(page, &found, &wanted));
        } else {
            write(&path, &wanted).with_context(|| format!("cannot write {page}"))?;
            eprintln!("wrote {page}");
        }
    }
    if !drifted.is_empty() {
        bail!(
            "pages differ from what the code prints:\n{}\nrun `cargo xtask docs` and commit them",
            drifted.join("\n")
        );
    }
    Ok(vec![Note::Done(format!(
        "{} pages are as the code prints them",
        PAGES.len()
    ))])
}

fn print(what: &str, page: &str) -> anyhow::Result<String> {
    let args = [
        "run",
        "--quiet",
        "--locked",
        "-p",
        "raincheck",
        "--",
        "docs",
        what,
    ];
    let body = shell::output(&mut shell::cargo(&args)?)?;
    // The reference file says itself that it is printed, and JSON knows no comments.
    let header = if page.ends_with(".md") { HEADER } else { "" };
    Ok(format!("{header}{}\n", body.trim_end()))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(path, text)
}

/// The first line that differs: enough to see what was forgotten.
fn difference(page: &str, found: &str, wanted: &str) -> String {
    if found.is_empty() {
        return format!("  {page}: is missing or empty");
    }
    let mut found = found.lines();
    let mut wanted = wanted.lines();
    let mut number = 1;
    loop {
        match (found.next(), wanted.next()) {
            (None, None) => return format!("  {page}: line ends differ"),
            (here, there) if here == there => number += 1,
            (here, there) => {
                let here = here.unwrap_or("(end of page)");
                let there = there.unwrap_or("(end of page)");
                return format!("  {page}:{number}\n    page: {here}\n    code: {there}");
            }
        }
    }
}
