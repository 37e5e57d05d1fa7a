//! Small sources that each break one rule, and their neighbours that do not.

use super::*;

const CODES: &str = problems::CODES;

fn file(path: &str, text: &str) -> File {
    File {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

/// The rules that a source breaks, with the lines where it does.
fn broken(path: &str, body: &str) -> Vec<(Rule, usize)> {
    let source = file(path, &format!("//! Words.\n{body}"));
    check_file(&source)
        .iter()
        .map(|found| (found.rule, found.line))
        .collect()
}

#[test]
fn code_and_comments_are_told_apart() {
    let source = "let a = 1; // one\n/* two\n /* in */ still */ let b = \"// no\";\n\n";
    let lines = scan::lines(source);
    let code: Vec<bool> = lines.iter().map(|line| line.has_code).collect();
    assert_eq!(code, [true, false, true, false]);
    assert_eq!(lines[0].comment, " one");
    assert_eq!(lines[2].code.trim(), "let b = \"\";");
}

#[test]
fn strings_characters_and_lifetimes_do_not_confuse_the_scanner() {
    for source in [
        r#"let quote = '"'; call();"#,
        r#"let quote = '\''; call();"#,
        r#"let hex = '\u{22}'; call();"#,
        r#"fn name<'a>(x: &'a str) { call(); }"#,
        "let raw = r#\"a \" b\"#; call();",
        "let bytes = br\"\\\"; call();",
        r#"let escaped = "\\\""; call();"#,
        "let r#type = 1; call();",
    ] {
        let line = scan::lines(source).remove(0);
        assert!(line.code.contains("call();"), "{source}: {line:?}");
        assert_eq!(line.comment, "", "{source}");
    }
}

#[test]
fn a_string_over_many_lines_is_code() {
    let lines = scan::lines("let a = \"\n// not a comment\n\";");
    assert!(
        lines
            .iter()
            .all(|line| line.has_code && line.comment.is_empty())
    );
}

#[test]
fn files_may_have_400_code_lines() {
    let comments = "// words\n\n".repeat(500);
    assert_eq!(
        broken("a.rs", &format!("{comments}{}", "use a;\n".repeat(400))),
        []
    );
    let long = broken("a.rs", &"use a;\n".repeat(401));
    assert_eq!(long, [(Rule::FileLength, 402)]);
}

#[test]
fn functions_may_have_70_lines() {
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "g();\n".repeat(lines - 2));
    assert_eq!(broken("a.rs", &function(70)), []);
    assert_eq!(broken("a.rs", &function(71)), [(Rule::FunctionLength, 2)]);
    let method = format!("impl A {{\n{}}}\n", function(71));
    assert_eq!(broken("a.rs", &method), [(Rule::FunctionLength, 3)]);
}

#[test]
fn a_file_says_first_why_it_exists() {
    let rules: Vec<Rule> = check_file(&file("a.rs", "use a;\n"))
        .iter()
        .map(|found| found.rule)
        .collect();
    assert_eq!(rules, [Rule::FileDocs]);
    assert_eq!(broken("a/mod.rs", ""), [(Rule::ModFile, 1)]);
}

#[test]
fn sleeping_in_a_test_needs_a_simulated_clock() {
    let test = |attribute: &str| format!("{attribute}\nasync fn t() {{\nsleep(d).await;\n}}\n");
    let banned = [(Rule::SleepInTest, 4)];
    assert_eq!(broken("a.rs", &test("#[tokio::test]")), banned);
    assert_eq!(broken("tests/a.rs", &test("#[tokio::test]")), banned);
    assert_eq!(
        broken("a.rs", &test("#[tokio::test(start_paused = true)]")),
        []
    );
    assert_eq!(broken("a.rs", &test("")), [], "not a test");
    assert_eq!(broken("a/tests.rs", &test("")), banned, "a helper of tests");
    assert_eq!(
        broken("a.rs", "#[cfg(test)]\nmod t {\nfn f() { sleep(d) }\n}\n"),
        banned
    );
    assert_eq!(broken("tests/a.rs", "fn sleep(d: Duration) {}\n"), []);
}

#[test]
fn clocks_that_no_test_can_pause_are_banned() {
    assert_eq!(
        broken("a.rs", "fn f() { SystemTime::now() }\n"),
        [(Rule::WallClock, 2)]
    );
    assert_eq!(
        broken("a.rs", "fn f() { Instant::now() }\n"),
        [(Rule::RealClock, 2)]
    );
    assert_eq!(
        broken(
            "a.rs",
            "use tokio::time::Instant;\nfn f() { Instant::now() }\n"
        ),
        []
    );
    assert_eq!(
        broken("a.rs", "fn f() { std::thread::sleep(d) }\n"),
        [(Rule::BlockingSleep, 2)]
    );
}

#[test]
fn words_in_strings_and_comments_are_not_calls() {
    assert_eq!(
        broken(
            "a.rs",
            "// todo!() and dbg!\nconst A: &str = \"todo!()\";\n"
        ),
        []
    );
    assert_eq!(
        broken("a.rs", "fn f() { todo!() }\n"),
        [(Rule::Unfinished, 2)]
    );
    assert_eq!(broken("a.rs", "// FIXME: later\n"), [(Rule::Marker, 2)]);
    assert_eq!(broken("a.rs", "// XXXX is not a marker\n"), []);
    assert_eq!(
        broken("a.rs", "#[allow(dead_code)]\nfn f() {}\n"),
        [(Rule::BareAllow, 2)]
    );
}

#[test]
fn the_core_touches_nothing_outside() {
    let body = "use std::fs::File;\n";
    assert_eq!(broken("crates/core/src/a.rs", body), [(Rule::PureCore, 2)]);
    assert_eq!(broken("crates/api/src/a.rs", body), []);
}

#[test]
fn problem_codes_are_matched_one_by_one() {
    let body = "fn f(c: C) -> u16 { match c { C::A => 1, _ => 2 } }\n";
    assert_eq!(broken(CODES, body), [(Rule::WildcardArm, 2)]);
    assert_eq!(broken("crates/core/src/a.rs", body), []);
    let by_number = "fn f(c: u16) -> u16 { match c { 504 => 1, _ => 2 } }\n";
    assert_eq!(broken(CODES, by_number), []);
    let named = "fn f(c: C) -> u16 { match c { C::A | C::B => 1, other => 2 } }\n";
    assert_eq!(broken(CODES, named), [(Rule::WildcardArm, 2)]);
}

#[test]
fn codes_and_pages_must_pair_up() {
    let codes = file(CODES, "enum ProblemCode {\nA = 1,\nB = 2,\n}\n");
    let good = file("docs/problems/RC0001.md", "# RC0001: words\n");
    let orphan = file("docs/problems/RC0003.md", "# RC0003: words\n");
    let found = problems::check(&[codes, good, orphan]);
    let places: Vec<(&str, usize)> = found
        .iter()
        .map(|found| (found.path.as_str(), found.line))
        .collect();
    assert_eq!(places, [(CODES, 3), ("docs/problems/RC0003.md", 1)]);
}

#[test]
fn paths_of_one_machine_are_found() {
    let home = ["see ", "/ho", "me/someone/raincheck"].concat();
    let inside = ["crates/ho", "me/x"].concat();
    let text = format!("{home}\n{inside}\nat /somewhere/checkout/x\n");
    let found = portable::check(&file("a.md", &text), "/somewhere/checkout");
    let lines: Vec<usize> = found.iter().map(|found| found.line).collect();
    assert_eq!(lines, [1, 3]);
}
