//! The table of the docs: what backends make of the corpus without raincheck.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use raincheck_e2e::Must;
use raincheck_e2e::corpus::{Case, Verdict};

use crate::backends::Kind;

const HEAD: &str = "# Strictness: what backends make of doubtful bytes

Written by `RAINCHECK_WRITE_DOCS=1 cargo xtask e2e --test strictness`. Each row is a case of the
[corpus](../../e2e/corpus/README.md), followed by one more request on the same connection. The
numbers say how many whole requests a server understood when it got these bytes directly; where they
differ in one row, two servers in a chain would disagree about where a request begins, which is what
request smuggling is made of.

raincheck refuses every row that says so in its column, and closes the connection. Of those that
pass, all these backends behind raincheck count what raincheck counts: `e2e/tests/strictness.rs`
asserts it.
";

pub fn write(cases: &[Case], columns: &BTreeMap<Kind, Vec<usize>>, disputed: usize) {
    let mut text = HEAD.to_owned();
    let _ = writeln!(
        text,
        "\n{} cases, {disputed} of them read differently by these backends.\n",
        cases.len()
    );
    let titles: Vec<_> = columns.keys().map(|kind| kind.title()).collect();
    let _ = writeln!(text, "| case | rule | raincheck | {} |", titles.join(" | "));
    let _ = writeln!(text, "| --- | --- | --- |{}", " --- |".repeat(titles.len()));
    for (index, case) in cases.iter().enumerate() {
        let ours = match &case.ours {
            Verdict::Passes(names) => (names.len() + 1).to_string(),
            Verdict::Refused(_, status, _) => format!("refused, {status}"),
        };
        let counts: Vec<_> = columns
            .values()
            .map(|column| column[index].to_string())
            .collect();
        let (name, rule) = (cell(&case.name), cell(&case.rule));
        let _ = writeln!(
            text,
            "| {name} | {rule} | {ours} | {} |",
            counts.join(" | ")
        );
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/strictness.md");
    std::fs::write(path, text).must("the table");
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('*', "\\*")
}
