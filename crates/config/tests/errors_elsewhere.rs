//! How mistakes outside of the file look, and findings for programs.

use raincheck_config::{Errors, Finding, Overrides, load};

fn mistakes(text: &str, environment: &[(&str, &str)], overrides: &Overrides) -> Errors {
    let environment = environment
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    match load(Some(("raincheck.toml", text)), environment, overrides) {
        Ok(plan) => panic!("no mistake in {plan:?}"),
        Err(errors) => errors,
    }
}

const ROUTE: &str = "[[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = \"http://b\"\n";

#[test]
fn variables_and_flags_are_shown_as_given() {
    let environment = [
        ("RAINCHECK_SERVER_LISTN", "0.0.0.0:80"),
        ("RAINCHECK_LOG_LEVEL", "loud"),
        ("RAINCHECK_SERVER_TRUSTED_PROXIES", "10.0.0.0/8, everyone"),
    ];
    let overrides = Overrides {
        timeout: Some("never".into()),
        listen: Some(":8080".into()),
        ..Overrides::default()
    };
    insta::assert_snapshot!(mistakes(ROUTE, &environment, &overrides).render(false), @r##"
    error: no key is set by the variable `RAINCHECK_SERVER_LISTN`
     --> environment:1:1
      |
    1 | RAINCHECK_SERVER_LISTN=0.0.0.0:80
      | ^^^^^^^^^^^^^^^^^^^^^^ did you mean `RAINCHECK_SERVER_LISTEN`?

    error: bad value for `level`: it is not one of the known words
     --> environment:1:21
      |
    1 | RAINCHECK_LOG_LEVEL=loud
      |                     ^^^^ expected one of "error", "warn", "info", "debug", "trace"

    error: bad value for `trusted_proxies`: it is not a network or address
     --> environment:1:34
      |
    1 | RAINCHECK_SERVER_TRUSTED_PROXIES=10.0.0.0/8, everyone
      |                                  ^^^^^^^^^^^^^^^^^^^^ expected networks such as ["10.0.0.0/8", "192.0.2.7", "unix"]

    error: bad value for `listen`: it is not an IP address and a port
      |
    1 | --listen :8080
      |          ^^^^^ expected an address such as "0.0.0.0:8080" or "unix:/run/raincheck.sock", a table with the keys of a listener, or an array of them
      |
      = help: write "0.0.0.0:8080" for all addresses

    error: bad value for `timeout`: it is no number with a unit
      |
    1 | --timeout never
      |           ^^^^^ expected a duration such as "500ms", "29s", "1m30s", "15m" or "24h", or "none"

    5 errors
    "##);
}

#[test]
fn nothing_at_all() {
    let errors = load(None, [], &Overrides::default()).unwrap_err();
    insta::assert_snapshot!(errors, @r##"
    error: there is no route
     |
     = help: add a [[route]] to the file, or say --upstream http://127.0.0.1:9000 for one that takes every request

    1 error
    "##);
}

#[test]
fn a_finding_for_programs() {
    let errors = mistakes(
        &format!("{ROUTE}mode = \"asink\"\n"),
        &[],
        &Overrides::default(),
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&errors).unwrap(), @r##"
    {
      "findings": [
        {
          "severity": "error",
          "code": "bad_value",
          "key": "route.r.mode",
          "message": "bad value for `mode`: it is not one of the known words",
          "expected": "one of \"sync\", \"auto\", \"async\"",
          "nearest": null,
          "help": null,
          "place": {
            "source": "file",
            "file": "raincheck.toml",
            "line": 5,
            "column": 8
          }
        }
      ]
    }
    "##);
}

#[test]
fn columns_count_characters_and_colours_are_optional() {
    let text = format!("{ROUTE}\"é\\u001b[31m\" = \"\" # ü\n");
    let errors = mistakes(&text, &[], &Overrides::default());
    assert!(!errors.render(false).contains('\u{1b}'));
    assert!(errors.render(true).contains('\u{1b}'));
    assert!(errors.findings()[0].message().contains("\\u{1b}[31m"));
}

#[test]
fn one_mistake_of_a_route_does_not_hide_another() {
    let twice = format!("{ROUTE}{ROUTE}");
    let errors = mistakes(&twice, &[], &Overrides::default());
    let messages: Vec<_> = errors.findings().iter().map(Finding::message).collect();
    assert_eq!(
        messages,
        [
            "the name 'r' is taken by an earlier route",
            "this matches the same requests as route 'r'"
        ]
    );
    for upstream in ["nowhere", "http://"] {
        let text = format!(
            "[[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = {upstream:?}\nhold = \"20s\"\ntimeout = \"10s\"\n"
        );
        let errors = mistakes(&text, &[], &Overrides::default());
        assert_eq!(errors.count(), 2, "{errors}");
        let hold = errors.findings()[1].message();
        assert!(hold.contains("the hold of 20s is not shorter"), "{errors}");
    }
}
