//! Reads the level table: `| level | crate | may use | in one sentence |`.

use std::collections::BTreeSet;

use anyhow::{Context, bail};

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A crate of the product; arrows go to lower numbers only.
    Number(u32),
    /// A package that helps to build the product and is no part of it.
    Tool,
}

/// Which crates of the workspace a package may use.
#[derive(Debug, PartialEq, Eq)]
pub enum MayUse {
    All,
    Only(BTreeSet<String>),
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    pub line: usize,
    pub level: Level,
    /// The name as written: without the prefix of the package.
    pub name: String,
    pub may_use: MayUse,
    /// If present, the only packages from outside that it may use.
    pub external: Option<BTreeSet<String>>,
}

/// Every row of every level table in the page.
pub fn parse(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line
            .trim()
            .trim_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let [level, name, may_use, _sentence] = cells[..] else {
            continue;
        };
        let Some(level) = parse_level(level).filter(|_| name.starts_with('`')) else {
            continue;
        };
        let row = parse_row(index + 1, level, name, may_use)
            .with_context(|| format!("line {}", index + 1))?;
        rows.push(row);
    }
    if rows.is_empty() {
        bail!("no row found; it has the columns level, crate, may use, in one sentence");
    }
    Ok(rows)
}

fn parse_level(cell: &str) -> Option<Level> {
    match cell {
        "tool" => Some(Level::Tool),
        number => number.parse().ok().map(Level::Number),
    }
}

fn parse_row(line: usize, level: Level, name: &str, may_use: &str) -> anyhow::Result<Row> {
    let name = name.trim_matches('`').to_owned();
    let (names, external) = match may_use.split_once('(') {
        None => (may_use, None),
        Some((names, rest)) => (names.trim(), Some(parse_external(rest)?)),
    };
    let may_use = match names {
        "all" => MayUse::All,
        "-" => MayUse::Only(BTreeSet::new()),
        names => MayUse::Only(split(names)),
    };
    Ok(Row {
        line,
        level,
        name,
        may_use,
        external,
    })
}

fn parse_external(rest: &str) -> anyhow::Result<BTreeSet<String>> {
    let list = rest
        .strip_prefix("external:")
        .and_then(|list| list.strip_suffix(')'))
        .context("after the names only `(external: a, b)` may follow")?;
    Ok(split(list))
}

fn split(list: &str) -> BTreeSet<String> {
    list.split(',')
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect()
}
