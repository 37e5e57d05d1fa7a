//! A page for each problem code, and no page without a code.
//!
//! Clients meet the code in an answer and look up its page, so a code without a page is a dead end.

use std::collections::BTreeMap;

use crate::tidy::files::File;
use crate::tidy::{Rule, Violation};

/// Where the codes are defined, as text literals like "RC0001".
pub const CODES: &str = "crates/core/src/problem/code.rs";
const PAGES: &str = "docs/problems/";

const CODE_PREFIX: &str = "RC";
const CODE_DIGITS: usize = 4;

/// Compares the two, in both directions.
pub fn check(files: &[File]) -> Vec<Violation> {
    let violation = |path: &str, line, what, remedy| Violation {
        rule: Rule::ProblemPages,
        path: path.to_owned(),
        line,
        what,
        remedy,
    };
    let Some(source) = files.iter().find(|file| file.path == CODES) else {
        let remedy = "if the codes have moved, tell xtask/src/tidy/problems.rs";
        return vec![violation(CODES, 1, "is missing".to_owned(), remedy)];
    };
    let codes = codes(&source.text);
    let mut found = Vec::new();
    for (code, line) in &codes {
        let page = format!("{PAGES}{code}.md");
        let page = files.iter().find(|file| file.path == page);
        if !page.is_some_and(|page| page.text.starts_with(&format!("# {code}"))) {
            let what = format!("{code} has no page {PAGES}{code}.md that starts with `# {code}`");
            found.push(violation(
                CODES,
                *line,
                what,
                "write it: what happened, what to do",
            ));
        }
    }
    for file in files {
        let Some(name) = file.path.strip_prefix(PAGES) else {
            continue;
        };
        let Some(name) = name.strip_suffix(".md").filter(|name| is_code(name)) else {
            continue;
        };
        if !codes.contains_key(name) {
            let what = format!("{name} is not a code of {CODES}");
            found.push(violation(
                &file.path,
                1,
                what,
                "remove the page, or add the code",
            ));
        }
    }
    found
}

/// Each code that is written as a literal, with the line of the first time.
fn codes(source: &str) -> BTreeMap<String, usize> {
    let mut codes = BTreeMap::new();
    for (index, line) in source.lines().enumerate() {
        for part in line.split('"').filter(|part| is_code(part)) {
            codes.entry(part.to_owned()).or_insert(index + 1);
        }
    }
    codes
}

fn is_code(text: &str) -> bool {
    text.strip_prefix(CODE_PREFIX).is_some_and(|digits| {
        digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}
