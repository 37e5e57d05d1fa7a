//! Files of at most 400 code lines, functions of at most 70 lines, and a first line that says why.
//!
//! The limits hold from the first day because they cannot be brought back later. Tests are no
//! exception: a test file that grew past the limit tests more than one thing.

use crate::tidy::files::File;
use crate::tidy::items::Items;
use crate::tidy::scan::Line;
use crate::tidy::{Rule, Violation};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Length, first line and name of a Rust file.
pub fn check_file(file: &File, lines: &[Line]) -> Vec<Violation> {
    let violation = |rule, line, what, remedy| Violation {
        rule,
        path: file.path.clone(),
        line,
        what,
        remedy,
    };
    let mut found = Vec::new();
    let code = lines.iter().filter(|line| line.has_code).count();
    if code > FILE_LINES_MAX {
        found.push(violation(
            Rule::FileLength,
            lines.len(),
            format!("has {code} code lines, {FILE_LINES_MAX} are allowed"),
            "move one concern to a file of its own",
        ));
    }
    if !file.text.trim_start().starts_with("//!") {
        found.push(violation(
            Rule::FileDocs,
            1,
            "does not start with `//!`".to_owned(),
            "say in a sentence why this file exists",
        ));
    }
    if file.path.ends_with("/mod.rs") {
        found.push(violation(
            Rule::ModFile,
            1,
            "is named mod.rs".to_owned(),
            "name it after the module: foo.rs beside foo/",
        ));
    }
    found
}

/// Length of each function.
pub fn check_functions(file: &File, items: &Items) -> Vec<Violation> {
    let long = items
        .functions
        .iter()
        .filter(|function| function.length() > FUNCTION_LINES_MAX);
    long.map(|function| Violation {
        rule: Rule::FunctionLength,
        path: file.path.clone(),
        line: *function.lines.start(),
        what: format!(
            "function `{}` has {} lines, {FUNCTION_LINES_MAX} are allowed",
            function.name,
            function.length()
        ),
        remedy: "keep the branching here and move its leaves out",
    })
    .collect()
}
