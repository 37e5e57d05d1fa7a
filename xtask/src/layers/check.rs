//! Compares the rows of the table with the packages of the workspace.

use std::collections::{BTreeMap, BTreeSet};

use crate::layers::PAGE;
use crate::layers::table::{Level, MayUse, Row};
use crate::metadata::{Dependency, Package};

/// Packages are `raincheck-core`, rows are `core`: a package named `core` would hide Rust's own.
const PREFIX: &str = "raincheck-";

/// Errors of the libraries are types; only programs may throw them all into one bag.
const ONLY_IN_PROGRAMS: &str = "anyhow";
const PROGRAM: &str = "raincheck";

/// Every difference, each as one line with its remedy.
pub fn check(rows: &[Row], packages: &[Package]) -> Vec<String> {
    let by_name: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.name.as_str(), row)).collect();
    let known: BTreeSet<&str> = packages
        .iter()
        .map(|package| short(&package.name))
        .collect();
    let mut problems = Vec::new();
    for row in rows {
        if !known.contains(row.name.as_str()) {
            let Row { line, name, .. } = row;
            problems.push(format!(
                "{PAGE}:{line}: `{name}` is not a package; remove the row until it exists"
            ));
        }
        problems.extend(check_direction(row, &by_name));
    }
    for package in packages {
        match by_name.get(short(&package.name)) {
            Some(row) => problems.extend(check_package(row, package, &known)),
            None => problems.push(format!(
                "{}: `{}` has no row; add one to the level table of {PAGE}",
                package.dir.join("Cargo.toml").display(),
                package.name
            )),
        }
    }
    problems.extend(find_cycle(packages));
    problems
}

fn short(package: &str) -> &str {
    package.strip_prefix(PREFIX).unwrap_or(package)
}

/// A row may name only rows of lower levels.
fn check_direction(row: &Row, rows: &BTreeMap<&str, &Row>) -> Vec<String> {
    let MayUse::Only(names) = &row.may_use else {
        return Vec::new();
    };
    let at = format!("{PAGE}:{}", row.line);
    let upward = |name: &String| match rows.get(name.as_str()) {
        None => Some(format!(
            "{at}: `{}` may use `{name}`, which has no row",
            row.name
        )),
        Some(other) if is_below(other.level, row.level) => None,
        Some(_) => Some(format!(
            "{at}: `{}` may not use `{name}`: it is not on a lower level",
            row.name
        )),
    };
    names.iter().filter_map(upward).collect()
}

fn is_below(used: Level, user: Level) -> bool {
    match (used, user) {
        (Level::Number(used), Level::Number(user)) => used < user,
        (Level::Number(_), Level::Tool) => true,
        (Level::Tool, _) => false,
    }
}

fn check_package(row: &Row, package: &Package, known: &BTreeSet<&str>) -> Vec<String> {
    let manifest = package.dir.join("Cargo.toml");
    let refuse = |dependency: &Dependency| {
        let name = short(&dependency.name);
        let reason = if known.contains(name) {
            inner(row, name, known)
        } else {
            outer(row, name)
        };
        reason.map(|reason| format!("{}: `{name}` {reason}", manifest.display()))
    };
    package
        .dependencies
        .iter()
        .filter(|one| !one.dev)
        .filter_map(refuse)
        .collect()
}

/// Why a crate of the workspace may not be used, if so.
fn inner(row: &Row, name: &str, known: &BTreeSet<&str>) -> Option<String> {
    let allowed = match &row.may_use {
        MayUse::All => known.contains(name),
        MayUse::Only(names) => names.contains(name),
    };
    (!allowed).then(|| {
        format!(
            "may not be used by `{}` ({PAGE}:{}); move the code, or change the row and say why \
             in docs/design",
            row.name, row.line
        )
    })
}

/// Why a package from outside may not be used, if so.
fn outer(row: &Row, name: &str) -> Option<String> {
    if let Some(allowed) = &row.external
        && !allowed.contains(name)
    {
        return Some(format!(
            "is not among the outside packages that `{}` may use ({PAGE}:{})",
            row.name, row.line
        ));
    }
    let is_program = row.level == Level::Tool || row.name == PROGRAM;
    (name == ONLY_IN_PROGRAMS && !is_program)
        .then(|| "is for programs; a library names its errors in a type of its own".to_owned())
}

/// A cycle through the crates of the workspace, test dependencies included.
///
/// Cargo refuses cycles of ordinary dependencies but not those that go through tests. A package
/// that names itself, to switch on a feature in its own tests, is no cycle.
fn find_cycle(packages: &[Package]) -> Option<String> {
    let mut left: BTreeMap<&str, BTreeSet<&str>> = packages
        .iter()
        .map(|package| {
            let names = package.dependencies.iter().map(|one| one.name.as_str());
            (
                package.name.as_str(),
                names.filter(|name| *name != package.name).collect(),
            )
        })
        .collect();
    loop {
        let here: BTreeSet<&str> = left.keys().copied().collect();
        let before = left.len();
        left.retain(|_, uses| uses.intersection(&here).next().is_some());
        if left.is_empty() {
            return None;
        }
        if left.len() == before {
            let names: Vec<&str> = left.keys().copied().collect();
            return Some(format!(
                "dependencies, those of tests included, go in a circle among or above: {}",
                names.join(", ")
            ));
        }
    }
}
