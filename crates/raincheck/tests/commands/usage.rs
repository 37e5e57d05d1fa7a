//! The command line itself: wrong ones, help, `check`, completions, and pages of documentation.

use std::fs;

use crate::process::{Exit, command, run};

#[test]
fn wrong_command_lines_are_bad_usage() {
    let wrong: [&[&str]; 17] = [
        &[],
        &["no-such-command"],
        &["serve", "--no-such-flag"],
        &["serve", "--hold"],
        &["serve", "-c", "/no/such/file"],
        &["check", "/no/such/file"],
        &["jobs"],
        &["jobs", "list", "--limit", "501"],
        &["jobs", "list", "--status", "running"],
        &["jobs", "list", "--all", "--limit", "7"],
        &["jobs", "show", "17"],
        &["verify", "/a", "--store-path", "/b"],
        &["check", "/dev/zero"],
        &["wait"],
        &["wait", "17", "--timeout", "soon"],
        &["submit", "no-url"],
        &["demo", "--hold", "5"],
    ];
    for args in wrong {
        let exit = run(args).expect(64);
        assert!(
            !exit.stderr.is_empty() && exit.stdout.is_empty(),
            "{args:?}: {exit:?}"
        );
    }
    let endless = run(&["check", "/dev/zero"]).expect(64);
    assert!(endless.stderr.contains("more than 4194304 bytes"));
    let running = run(&["jobs", "list", "--status", "running"]).expect(64);
    assert!(running.stderr.contains("processing"), "{}", running.stderr);
    let unreadable = run(&["check", "/no/such/file"]).expect(64);
    assert!(
        unreadable
            .stderr
            .contains("cannot read the config file /no/such/file")
    );
}

#[test]
fn a_wrong_time_or_size_is_told_with_the_form_expected() {
    let id = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";
    for args in [
        &["wait", id, "--timeout", "abc"][..],
        &["demo", "--hold", "abc"],
        &[
            "check",
            "--upstream",
            "http://127.0.0.1:9000",
            "--hold",
            "abc",
        ],
        &[
            "check",
            "--upstream",
            "http://127.0.0.1:9000",
            "--timeout",
            "abc",
        ],
    ] {
        let told = run(args).expect(64).stderr;
        for part in [
            "it is no number with a unit",
            "expected a duration such as \"500ms\"",
        ] {
            assert!(told.contains(part), "{args:?}: {told}");
        }
    }
    let told = check(&format!("{RIGHT}max_request = \"abc\"\n"), &[]).expect(64);
    for part in [
        "it is no number with a unit",
        "expected a size such as \"64 KiB\"",
    ] {
        assert!(told.stderr.contains(part), "{}", told.stderr);
    }
    let both = run(&["jobs", "list", "--all", "--limit", "7"]).expect(64);
    assert!(both.stderr.contains("leave one of them out"), "{both:?}");
}

#[test]
fn help_and_version_are_data() {
    for args in [
        &["--help"][..],
        &["jobs", "list", "--help"],
        &["--version"],
        &["-h"],
    ] {
        let exit = run(args).expect(0);
        assert!(
            !exit.stdout.is_empty() && exit.stderr.is_empty(),
            "{exit:?}"
        );
    }
    let version = run(&["--version"]).stdout;
    assert_eq!(
        version,
        concat!("raincheck ", env!("CARGO_PKG_VERSION"), "\n")
    );
    assert!(!run(&["--help"]).stdout.contains("docs"), "docs is hidden");
}

fn check(text: &str, more: &[&str]) -> Exit {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("raincheck.toml");
    fs::write(&file, text).unwrap();
    run(&[&["check", file.to_str().unwrap()][..], more].concat())
}

const RIGHT: &str = r#"
[[route]]
name = "rest"
match = "/{*path}"
upstream = "http://127.0.0.1:9000"
[[route]]
name = "render"
match = "POST /render/{*path}"
upstream = "https://render.example"
mode = "async"
retry = { attempts = 3 }
"#;

#[test]
fn check_shows_the_routes_as_they_are_tried() {
    let exit = check(RIGHT, &["--hold", "3s"]).expect(0);
    let narrow = exit
        .stdout
        .find("1. POST /render/{*path}  ->  https://render.example\n");
    let wide = exit.stdout.find("2. /{*path}  ->  http://127.0.0.1:9000\n");
    assert!(narrow.is_some() && narrow < wide, "{}", exit.stdout);
    for part in [
        "mode auto, hold 3s (head)",
        "timeout 15m,",
        "attempts 3, backoff 1s to 1m",
    ] {
        assert!(exit.stdout.contains(part), "{part}: {}", exit.stdout);
    }
    let exit = check(RIGHT, &["--json"]).expect(0);
    let plan: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(plan["ok"], true);
    assert_eq!(plan["routes"][0]["retry"]["attempts"], 3);
    assert_eq!(plan["routes"][1]["hold"], "25s");
}

#[test]
fn check_shows_a_hold_where_the_mode_has_one() {
    let shown = |mode: &str| {
        let text = RIGHT.replace("mode = \"async\"", mode);
        let exit = check(&text, &[]).expect(0);
        let json = check(&text, &["--json"]).expect(0).stdout;
        let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
        (exit.stdout, plan["routes"][0].clone())
    };
    let (text, route) = shown("mode = \"sync\"");
    assert!(
        text.contains("name render, mode sync, on_disconnect cancel\n"),
        "{text}"
    );
    assert!(
        route["hold"].is_null() && route["hold_until"].is_null(),
        "{route}"
    );
    let (text, route) = shown("mode = \"async\"");
    let line = "name render, mode async, hold 25s (the most that Prefer: wait gets)\n";
    assert!(text.contains(line), "{text}");
    assert!(
        route["hold_until"].is_null() && route["on_disconnect"].is_null(),
        "{route}"
    );
    assert_eq!(route["hold"], "25s");
    let (text, route) = shown("mode = \"sync\"\nresume = true");
    assert!(
        text.contains("mode sync, hold 25s (of followers), on_disconnect"),
        "{text}"
    );
    assert_eq!(route["hold"], "25s");
}

#[test]
fn check_lists_all_mistakes() {
    let text = "[server]\nlisen = \"x\"\n[[route]]\nname = \"a\"\nmatch = \"no\"\n";
    let exit = check(text, &[]).expect(64);
    for word in [
        "did you mean `listen`",
        "raincheck.toml:2",
        "no `upstream`",
        "3 errors",
    ] {
        assert!(exit.stderr.contains(word), "{word}: {}", exit.stderr);
    }
    assert!(!exit.stderr.contains('\u{1b}') && exit.stdout.is_empty());
    let exit = check(text, &["--json"]).expect(64);
    let list: serde_json::Value = serde_json::from_str(&exit.stdout).unwrap();
    assert_eq!(list["ok"], false);
    assert_eq!(list["findings"].as_array().unwrap().len(), 3);
}

#[test]
fn a_file_goes_before_a_variable_and_an_empty_one_is_not_set() {
    let mut command = command(&["check", "--upstream", "http://127.0.0.1:9000"]);
    let exit = Exit::from(command.env("RAINCHECK_CONFIG", "").output().unwrap()).expect(0);
    assert!(exit.stdout.contains("1. /{*path}"), "{exit:?}");
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("raincheck.toml");
    fs::write(&file, RIGHT).unwrap();
    let mut command = crate::process::command(&["check", file.to_str().unwrap()]);
    let exit = command.env("RAINCHECK_CONFIG", "/no/such/file").output();
    Exit::from(exit.unwrap()).expect(0);
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let exit = run(&["completions", shell]).expect(0);
        for word in ["serve", "submit", "admin-url"] {
            assert!(exit.stdout.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn pages_are_printed_from_the_code() {
    for (page, part) in [
        ("cli", "## `raincheck jobs list`"),
        ("config", "# Configuration"),
        ("exit-codes", "| 75 | `store_in_use` |"),
        ("metrics", "raincheck_"),
        ("state-machine", "stateDiagram-v2"),
    ] {
        let exit = run(&["docs", page]).expect(0);
        assert!(exit.stdout.contains(part), "{}", exit.stdout);
    }
    let mut command = command(&["docs", "cli"]);
    command
        .env("COLUMNS", "40")
        .env("RAINCHECK_CONFIG", "/secret")
        .env("RAINCHECK_URL", "http://s");
    let here = Exit::from(command.output().unwrap());
    assert_eq!(
        here.stdout,
        run(&["docs", "cli"]).stdout,
        "a page depends on nothing around it"
    );
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(&["docs", "config"]).spawn().unwrap();
    drop(child.stdout.take());
    let exit = Exit::from(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(exit.stderr, "");
}
