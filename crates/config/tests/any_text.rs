//! No text, variable or flag panics, and every finding can be shown.

use proptest::prelude::*;
use raincheck_config::keys::KEYS;
use raincheck_config::{DEFAULTS, Overrides, load};

fn digest(text: &str, value: &str) {
    let environment = [
        ("RAINCHECK_HOLD".to_owned(), value.to_owned()),
        (format!("RAINCHECK_{value}"), value.to_owned()),
        ("X".to_owned(), value.to_owned()),
    ];
    let overrides = Overrides {
        upstream: Some(value.to_owned()),
        ..Overrides::default()
    };
    if let Err(errors) = load(Some(("f.toml", text)), environment, &overrides) {
        assert!(errors.count() > 0);
        let plain = errors.render(false);
        assert!(
            !plain.contains(|c: char| c.is_control() && c != '\n'),
            "{plain:?}"
        );
        assert!(errors.render(true).len() >= plain.len());
        assert!(serde_json::to_string(&errors).is_ok());
        for finding in errors.findings() {
            assert!(!finding.message().is_empty());
        }
    }
}

/// A line that looks like one of a config.
fn line() -> impl Strategy<Value = String> {
    let key = proptest::sample::select(KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    let value = prop_oneof![
        "[0-9]{1,20}",
        "\"[a-z0-9 :/.{}$*-]{0,20}\"",
        "[\\[\\]{}\",=a-z0-9 ]{0,20}",
        Just("[\"a\", 1, {}]".to_owned()),
        Just("true".to_owned()),
        Just("\"${X}\"".to_owned()),
        Just("\"${X:-29s}\"".to_owned()),
    ];
    prop_oneof![
        4 => (key, value).prop_map(|(key, value)| format!("{key} = {value}\n")),
        1 => prop_oneof![
            Just("[[route]]\n"), Just("[server]\n"), Just("[defaults]\n"), Just("[route]\n"),
            Just("[admin]\n"), Just("[defaults.retry]\n"), Just("[[server]]\n"), Just("[log]\n"),
        ].prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn any_text(text in any::<String>(), value in any::<String>()) {
        digest(&text, &value);
    }

    #[test]
    fn lines_of_a_config(lines in proptest::collection::vec(line(), 0..12), value in ".{0,12}") {
        digest(&lines.concat(), &value);
    }

    /// The reference, damaged: a stretch replaced by something else.
    #[test]
    fn damaged_reference(start in 0..DEFAULTS.len(), length in 0..200usize, by in ".{0,8}") {
        let from = DEFAULTS.floor_char_boundary(start);
        let to = DEFAULTS.floor_char_boundary((from + length).min(DEFAULTS.len())).max(from);
        digest(&format!("{}{by}{}", &DEFAULTS[..from], &DEFAULTS[to..]), "http://a");
    }
}

#[test]
fn deep_nesting_is_refused() {
    digest(&format!("a = {}", "[".repeat(100_000)), "");
    digest(
        &format!("a = {}1{}", "{a=".repeat(5_000), "}".repeat(5_000)),
        "",
    );
    digest(&format!("{} = 1", "a.".repeat(5_000)), "");
}

#[test]
fn thousands_of_mistakes_are_no_trouble() {
    let text: String = (0..3000)
        .map(|number| format!("key{number} = 1\n"))
        .collect();
    let errors = load(Some(("f.toml", &text)), [], &Overrides::default()).unwrap_err();
    assert_eq!(errors.count(), 3001);
    let rendered = errors.render(false);
    assert!(
        rendered.ends_with("... and 2901 more\n\n3001 errors"),
        "{rendered}"
    );
}

#[test]
fn a_quoted_line_controls_no_terminal() {
    let text = "[sever]\nhold = \"\u{9b}2J \u{1b}[2J \u{202e}\"\n";
    let errors = load(Some(("f.toml", text)), [], &Overrides::default()).unwrap_err();
    let plain = errors.render(false);
    assert!(plain.contains("\u{b7}2J"), "{plain}");
    assert!(
        !plain.contains(['\u{9b}', '\u{1b}', '\u{202e}']),
        "{plain:?}"
    );
}
