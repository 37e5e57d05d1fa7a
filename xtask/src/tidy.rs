//! `cargo xtask tidy`: the house rules that a machine can check and clippy does not.
//!
//! Each rule is one file below `tidy/`. A rule reports violations; what may break it, and why, is
//! in `tidy/exceptions.rs` and nowhere else.

mod banned;
mod exceptions;
mod files;
mod items;
mod leftovers;
mod lengths;
mod portable;
mod problems;
mod scan;

#[cfg(test)]
mod tests;

use std::fmt;

use anyhow::bail;

use crate::shell;
use crate::task::{Note, Outcome, no_args};
use files::File;
use items::Items;
use scan::Line;

/// The name of a rule, as exceptions refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    FileLength,
    FunctionLength,
    FileDocs,
    ModFile,
    Parse,
    BlockingSleep,
    SleepInTest,
    WallClock,
    RealClock,
    Unfinished,
    BareAllow,
    WildcardArm,
    Marker,
    PureCore,
    DeveloperPath,
    RegistryHost,
    ProblemPages,
    Leftover,
}

/// One place that breaks one rule.
pub struct Violation {
    pub rule: Rule,
    pub path: String,
    pub line: usize,
    pub what: String,
    pub remedy: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            rule,
            path,
            line,
            what,
            remedy,
        } = self;
        write!(f, "{path}:{line}: {what}; {remedy} [{rule:?}]")
    }
}

/// Checks every file of the repository.
pub fn run(args: &[String]) -> Outcome {
    no_args("tidy", args)?;
    let root = shell::root()?;
    let files = files::read(&root)?;
    let mut found = problems::check(&files);
    found.extend(leftovers::check(&root)?);
    for file in &files {
        found.extend(check_file(file));
        found.extend(portable::check(file, &root.to_string_lossy()));
    }
    let (mut found, unused) = exceptions::apply(found);
    found.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for violation in &found {
        eprintln!("{violation}");
    }
    for exception in &unused {
        eprintln!("{exception}");
    }
    let count = found.len() + unused.len();
    if count > 0 {
        bail!("{count} places are not tidy");
    }
    Ok(vec![Note::Done(format!("{} files are tidy", files.len()))])
}

/// The rules that look at one Rust file.
fn check_file(file: &File) -> Vec<Violation> {
    if !file.is_rust() {
        return Vec::new();
    }
    let lines: Vec<Line> = scan::lines(&file.text);
    let mut found = lengths::check_file(file, &lines);
    match Items::of(&file.text) {
        Ok(items) => {
            found.extend(lengths::check_functions(file, &items));
            found.extend(banned::check(file, &lines, &items));
            found.extend(problems::check_arms(file, &items));
        }
        Err(error) => found.push(Violation {
            rule: Rule::Parse,
            path: file.path.clone(),
            line: error.span().start().line,
            what: format!("cannot be parsed: {error}"),
            remedy: "fix the syntax",
        }),
    }
    found
}
