//! What holds without a file, and that the commented reference says exactly that.

use std::time::Duration;

use raincheck_config::keys::{Fallback, KEYS, SectionName};
use raincheck_config::plan::{Address, Listener};
use raincheck_config::{DEFAULTS, Overrides, load, reference};
use raincheck_core::route::{HoldUntil, Mode, OnDisconnect, Pattern, RetryPolicy};

fn upstream() -> Overrides {
    Overrides {
        upstream: Some("http://127.0.0.1:9000".into()),
        ..Overrides::default()
    }
}

#[test]
fn an_upstream_is_enough() {
    let plan = load(None, [], &upstream()).unwrap();
    let listen = Listener {
        address: Address::Tcp("0.0.0.0:8080".parse().unwrap()),
        mode: 0o660,
        tls: None,
        proxy_protocol: None,
    };
    assert_eq!(plan.server.listen, [listen]);
    assert_eq!(plan.server.jobs_path, "/jobs");
    assert_eq!(plan.server.grace, Duration::from_secs(30));
    assert_eq!(plan.server.keep_alive, Duration::from_secs(75));
    let admin = plan
        .admin
        .listen
        .map(|listener| listener.address.to_string());
    assert_eq!(admin.as_deref(), Some("127.0.0.1:9090"));
    assert_eq!(plan.store.path.to_str(), Some("raincheck-data"));
    assert_eq!(plan.warnings, []);

    let [route] = plan.routes.as_slice() else {
        panic!("{:?}", plan.routes)
    };
    assert_eq!(route.name.as_str(), "default");
    assert_eq!(route.pattern, Pattern::everything());
    assert_eq!(route.upstream.to_string(), "http://127.0.0.1:9000");
    assert_eq!(route.mode, Mode::Auto);
    assert_eq!(route.hold, Duration::from_secs(25));
    assert_eq!(route.hold_until, HoldUntil::Head);
    assert_eq!(route.timeout, Some(Duration::from_secs(15 * 60)));
    assert_eq!(route.connect_timeout, Duration::from_secs(5));
    assert_eq!(route.idle_timeout, route.timeout);
    assert_eq!(route.deadline, None);
    assert_eq!(route.on_disconnect, OnDisconnect::Cancel);
    assert_eq!(route.retry, RetryPolicy::default());
    assert_eq!((route.concurrency, route.queue), (256, 100_000));
    assert_eq!(route.retention, Duration::from_secs(24 * 60 * 60));
    assert_eq!((route.max_request, route.max_response), (1 << 30, None));
}

#[test]
fn a_sync_route_has_another_timeout() {
    let plan = load(
        None,
        [],
        &Overrides {
            mode: Some("sync".into()),
            ..upstream()
        },
    )
    .unwrap();
    assert_eq!(plan.routes[0].timeout, Some(Duration::from_secs(29)));
    assert_eq!(plan.routes[0].idle_timeout, Some(Duration::from_secs(29)));
}

#[test]
fn the_reference_loads_and_changes_nothing() {
    let written = load(Some(("defaults.toml", DEFAULTS)), [], &Overrides::default())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(written, load(None, [], &upstream()).unwrap());
}

#[test]
fn the_reference_is_printed_from_the_keys() {
    let printed = reference::defaults_toml();
    for (written, printed) in DEFAULTS.lines().zip(printed.lines()) {
        assert_eq!(written, printed, "`cargo xtask docs` writes it anew");
    }
    assert_eq!(DEFAULTS.len(), printed.len());
}

/// Also the keys whose default is no value: their examples load when they are not commented out.
#[test]
fn every_example_of_the_reference_loads() {
    let text: String = DEFAULTS
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_key(rest) || rest.starts_with("[[server.listen") => {
                format!("{rest}\n")
            }
            _ => format!("{line}\n"),
        })
        // Said twice, as a value and as a section; and what the route of the example does not have.
        .filter(|line| {
            ![
                "retry = ",
                "callback = ",
                "eject = ",
                "health = ",
                "tls = ",
                "listen = \"0.0.0.0",
                "strip_prefix = ",
            ]
            .iter()
            .any(|start| line.starts_with(start))
        })
        .collect();
    assert!(text.contains("\nbehind = ") && text.contains("\nidle_timeout = "));
    load(Some(("all.toml", &text)), [], &Overrides::default())
        .unwrap_or_else(|errors| panic!("{errors}"));
}

fn is_key(text: &str) -> bool {
    text.split_once(" = ").is_some_and(|(name, _)| {
        KEYS.iter()
            .any(|key| key.name == name && !key.section.is_optional())
    })
}

/// The parser takes a key if and only if the table of keys has it: a value of a type that no key
/// takes must be called a bad value, never an unknown key, and never be overlooked.
#[test]
fn the_parser_reads_every_key() {
    for key in KEYS {
        let path = match key.section {
            SectionName::Route => "route.1".to_owned(),
            SectionName::Listener => "server.listen.1".to_owned(),
            SectionName::Certificate => "server.listen.1.tls.1".to_owned(),
            SectionName::Upstream => "upstream.1".to_owned(),
            SectionName::Eject => "upstream.1.eject".to_owned(),
            SectionName::Health => "upstream.1.health".to_owned(),
            part if matches!(part, SectionName::Retry | SectionName::Callback)
                || part.is_optional() =>
            {
                format!("defaults.{}", part.as_str())
            }
            other => other.as_str().to_owned(),
        };
        let section = match key.section {
            SectionName::Route => "[[route]]".to_owned(),
            SectionName::Listener => "[[server.listen]]".to_owned(),
            SectionName::Certificate => {
                "[[server.listen]]\naddress = \"fd:3\"\n[[server.listen.tls]]".to_owned()
            }
            SectionName::Upstream => "[[upstream]]".to_owned(),
            SectionName::Eject => "[[upstream]]\n[upstream.eject]".to_owned(),
            SectionName::Health => "[[upstream]]\n[upstream.health]".to_owned(),
            _ => format!("[{path}]"),
        };
        let text = format!("{section}\n{} = 2026-01-01\n", key.name);
        let errors = load(Some(("f", &text)), [], &upstream()).unwrap_err();
        let path = format!("{path}.{}", key.name);
        let about: Vec<_> = errors
            .findings()
            .iter()
            .filter(|f| f.key_path() == Some(&path))
            .collect();
        assert_eq!(about.len(), 1, "{path}: {errors}");
        assert_eq!(about[0].code(), raincheck_config::Code::BadValue, "{path}");
        assert_eq!(
            about[0].expected_text(),
            Some(&*key.kind.expecting()),
            "{path}"
        );
    }
}

/// Each word a key takes is read, and no other would be suggested.
#[test]
fn every_word_is_read() {
    for key in KEYS {
        for word in key.kind.words() {
            let (open, close) = match key.kind {
                raincheck_config::keys::Kind::Choices(_) => ("[\"", "\"]"),
                _ => ("\"", "\""),
            };
            let section = match key.section {
                SectionName::Route => "defaults",
                SectionName::Retry => "defaults.retry",
                SectionName::Listener => "[server.listen]",
                SectionName::Upstream => "[upstream]",
                SectionName::Eject => {
                    "[upstream]]\nname = \"a\"\nservers = \"http://a\"\n[upstream.eject"
                }
                other => other.as_str(),
            };
            let more = match key.section {
                SectionName::Listener => "address = \"fd:3\"\n",
                SectionName::Upstream => "name = \"a\"\nservers = \"http://a\"\n",
                _ => "",
            };
            let text = format!("[{section}]\n{} = {open}{word}{close}\n{more}", key.name);
            load(Some(("f", &text)), [], &upstream()).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}

#[test]
fn every_key_is_documented() {
    let page = reference::markdown();
    for key in KEYS {
        assert!(
            page.contains(&format!("| `{}` |", key.name)),
            "{}",
            key.name
        );
        assert!(
            key.doc.ends_with('.') && !key.since.is_empty(),
            "{}",
            key.name
        );
        if let Fallback::Is(value) = key.default {
            assert!(
                DEFAULTS.contains(&format!("\n{} = {value}\n", key.name))
                    || DEFAULTS.contains(&format!("\n# {} = {value}\n", key.name)),
                "{}",
                key.name
            );
        }
    }
    for behind in raincheck_config::behind::Behind::ALL {
        assert!(page.contains(&format!("| `{}` |", behind.as_str())));
        assert!(behind.hold() < behind.cuts_after());
    }
}
