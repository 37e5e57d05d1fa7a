//! A page for each problem code, and no page without a code.
//!
//! Clients meet the code in an answer and look up its page, so a code without a page is a dead end.

use std::collections::BTreeMap;

use syn::{Expr, ExprLit, Item, Lit, Variant};

use crate::tidy::files::File;
use crate::tidy::items::Items;
use crate::tidy::{Rule, Violation};

/// Where the codes are defined, each with its number.
pub const CODES: &str = "crates/core/src/problem/code.rs";
const ENUM: &str = "ProblemCode";
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
    if codes.is_empty() {
        let what = format!("has no `enum {ENUM}` whose variants have numbers");
        found.push(violation(
            CODES,
            1,
            what,
            "give each code the number of its page",
        ));
    }
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

/// Every answer about a code names all codes, so that a new one must be thought about.
pub fn check_arms(file: &File, items: &Items) -> Vec<Violation> {
    let lines = items.wildcards.iter().filter(|_| file.path == CODES);
    lines
        .map(|line| Violation {
            rule: Rule::WildcardArm,
            path: file.path.clone(),
            line: *line,
            what: "an arm takes all other codes".to_owned(),
            remedy: "name every code, so that a new one asks",
        })
        .collect()
}

/// Each code with the line of its variant: `RouteNotFound = 1` is RC0001.
fn codes(source: &str) -> BTreeMap<String, usize> {
    // A file that cannot be parsed is reported as such, once.
    let Ok(file) = syn::parse_file(source) else {
        return BTreeMap::new();
    };
    let variants = file.items.iter().filter_map(|item| match item {
        Item::Enum(item) if item.ident == ENUM => Some(&item.variants),
        _ => None,
    });
    variants.flatten().filter_map(code).collect()
}

fn code(variant: &Variant) -> Option<(String, usize)> {
    let (
        _,
        Expr::Lit(ExprLit {
            lit: Lit::Int(number),
            ..
        }),
    ) = variant.discriminant.as_ref()?
    else {
        return None;
    };
    let number: u16 = number.base10_parse().ok()?;
    Some((
        format!("{CODE_PREFIX}{number:0CODE_DIGITS$}"),
        variant.ident.span().start().line,
    ))
}

fn is_code(text: &str) -> bool {
    text.strip_prefix(CODE_PREFIX).is_some_and(|digits| {
        digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}
