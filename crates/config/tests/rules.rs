//! Rules across keys: what contradicts itself, what has no effect.

use raincheck_config::{Code, Errors, Finding, Overrides, Plan, Severity, load};

/// One route with these lines, under these sections.
fn with(sections: &str, route: &str) -> Result<Plan, Errors> {
    let text = format!(
        "{sections}\n[[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = \"http://b\"\n{route}\n"
    );
    load(Some(("f", &text)), [], &Overrides::default())
}

/// The findings as `severity code key`.
fn found(sections: &str, route: &str) -> Vec<String> {
    let findings = match with(sections, route) {
        Ok(plan) => plan.warnings,
        Err(errors) => errors.findings().to_vec(),
    };
    let word = |finding: &Finding| {
        let severity = if finding.severity() == Severity::Error {
            "error"
        } else {
            "warning"
        };
        let code = match finding.code() {
            Code::NoEffect => "no_effect",
            Code::Conflict => "conflict",
            Code::BadValue => "bad_value",
            Code::Missing => "missing",
            Code::UnknownKey => "unknown_key",
            other => panic!("{other:?}"),
        };
        format!("{severity} {code} {}", finding.key_path().unwrap_or("-"))
    };
    findings.iter().map(word).collect()
}

#[test]
fn redirects_wait_at_least_the_hold_and_no_longer_than_the_edge() {
    let redirect = |more: &str| format!("on_hold = \"redirect\"\n{more}");
    assert_eq!(found("", &redirect("redirect_hold = \"4m\"")), [""; 0]);
    for wrong in ["20s", "2h"] {
        assert_eq!(
            found("", &redirect(&format!("redirect_hold = \"{wrong}\""))),
            ["error conflict route.r.redirect_hold"]
        );
    }
    let edge = "[server]\nbehind = \"api-gateway\"";
    assert_eq!(
        found(edge, &redirect("redirect_hold = \"4m\"")),
        ["warning conflict route.r.redirect_hold"]
    );
    assert_eq!(
        found("", "redirect_hold = \"4m\""),
        ["warning no_effect route.r.redirect_hold"]
    );
    assert_eq!(
        found("", "mode = \"sync\"\non_hold = \"redirect\""),
        ["warning no_effect route.r.on_hold"]
    );
}

#[test]
fn bytes_come_before_an_edge_gives_up() {
    let kept = |more: &str| format!("keepalive = \"json-whitespace\"\n{more}");
    let interval = "keepalive_interval = \"70s\"";
    assert_eq!(found("", &kept(interval)), [""; 0]);
    assert_eq!(
        found("", &kept("keepalive_interval = \"99ms\"")),
        ["error conflict route.r.keepalive_interval"]
    );
    let nginx = "[server]\nbehind = \"nginx\"";
    assert_eq!(found(nginx, &kept("")), [""; 0]);
    assert_eq!(
        found(nginx, &kept(interval)),
        ["warning conflict route.r.keepalive_interval"]
    );
    let whole = "[server]\nbehind = \"api-gateway\"";
    assert_eq!(
        found(whole, &kept("")),
        ["warning conflict route.r.keepalive"]
    );
    assert_eq!(
        found("", interval),
        ["warning no_effect route.r.keepalive_interval"]
    );
    assert_eq!(
        found("", &kept("mode = \"sync\"")),
        ["warning no_effect route.r.keepalive"]
    );
    assert_eq!(found("", "keepalive = \"none\""), [""; 0]);
}

#[test]
fn resume_records_what_is_relayed_as_it_comes() {
    let resume = |more: &str| found("", &format!("resume = true\n{more}"));
    assert_eq!(resume(""), [""; 0]);
    // What is recorded is a job, also on a sync route.
    let of_jobs = "retention = \"1h\"\ndedupe = \"1m\"\non_disconnect = \"cancel\"";
    assert_eq!(resume(&format!("mode = \"sync\"\n{of_jobs}")), [""; 0]);
    for without in ["mode = \"async\"", "hold_until = \"complete\""] {
        assert_eq!(resume(without), ["warning no_effect route.r.resume"]);
    }
}

#[test]
fn a_hold_is_shorter_than_the_timeout() {
    assert_eq!(found("", "hold = \"20m\""), ["error conflict route.r.hold"]);
    let both = "hold = \"30s\"\ntimeout = \"30s\"";
    assert_eq!(found("", both), ["error conflict route.r.hold"]);
    assert_eq!(found("", "hold = \"30s\"\ntimeout = \"31s\""), [""; 0]);
    assert_eq!(found("", "hold = \"1h\"\ntimeout = \"none\""), [""; 0]);
    // Who shortens the timeout of one route need not have thought of the hold of all.
    assert_eq!(
        found("", "timeout = \"10s\""),
        ["warning conflict route.r.hold"]
    );
    let common = "[defaults]\nhold = \"20s\"";
    assert_eq!(
        found(common, "timeout = \"10s\""),
        ["warning conflict defaults.hold"]
    );
    let common = "[defaults]\nhold = \"20s\"\ntimeout = \"10s\"";
    assert_eq!(found(common, ""), ["error conflict defaults.hold"]);
    assert_eq!(
        found("", "deadline = \"20s\""),
        ["warning conflict route.r.hold"]
    );
    assert_eq!(
        found("", "hold = \"25s\"\ndeadline = \"20s\""),
        ["error conflict route.r.hold"]
    );
}

#[test]
fn a_hold_is_shorter_than_what_stands_in_front_allows() {
    let gateway = "[server]\nbehind = \"api-gateway\"";
    assert_eq!(found(gateway, "hold = \"28s\""), [""; 0]);
    assert_eq!(
        found(gateway, "hold = \"29s\""),
        ["warning conflict route.r.hold"]
    );
    assert_eq!(
        found(gateway, "hold_until = \"head\""),
        ["warning conflict route.r.hold_until"]
    );
    assert_eq!(found(gateway, "mode = \"async\""), [""; 0]);
    let alb = "[server]\nbehind = \"alb\"";
    assert_eq!(found(alb, "hold_until = \"complete\""), [""; 0]);
}

#[test]
fn a_sync_route_is_not_longer_than_what_stands_in_front() {
    let gateway = "[server]\nbehind = \"api-gateway\"";
    assert_eq!(found(gateway, "mode = \"sync\""), [""; 0]);
    let long = "mode = \"sync\"\ntimeout = \"5m\"";
    assert_eq!(found(gateway, long), ["warning conflict route.r.timeout"]);
    let alb = "[server]\nbehind = \"alb\"";
    assert_eq!(found(alb, long), ["warning conflict route.r.idle_timeout"]);
    assert_eq!(
        found(alb, &format!("{long}\nidle_timeout = \"60s\"")),
        [""; 0]
    );
}

#[test]
fn phases_are_shorter_than_the_whole() {
    let short = "mode = \"sync\"\ntimeout = \"10s\"\n";
    let connect = format!("{short}connect_timeout = \"11s\"");
    assert_eq!(
        found("", &connect),
        ["error conflict route.r.connect_timeout"]
    );
    let idle = format!("{short}idle_timeout = \"none\"");
    assert_eq!(found("", &idle), ["warning no_effect route.r.idle_timeout"]);
    let deadline = "timeout = \"5m\"\ndeadline = \"1m\"";
    assert_eq!(found("", deadline), ["warning conflict route.r.timeout"]);
    let retry = "retry = { attempts = 2, backoff = \"2m\", max_backoff = \"1m\" }";
    assert_eq!(found("", retry), ["error conflict route.r.retry.backoff"]);
}

#[test]
fn keys_that_a_mode_never_reads_are_named() {
    assert_eq!(
        found(
            "",
            "mode = \"async\"\nhold = \"10s\"\non_disconnect = \"cancel\""
        ),
        ["warning no_effect route.r.on_disconnect"]
    );
    assert_eq!(
        found(
            "",
            "mode = \"sync\"\nhold = \"10s\"\nqueue = 3\nretry = { attempts = 3 }"
        ),
        [
            "warning no_effect route.r.hold",
            "warning no_effect route.r.queue",
            "warning no_effect route.r.retry"
        ]
    );
    assert_eq!(
        found("[defaults]\nhold = \"10s\"", "mode = \"async\""),
        [""; 0]
    );
    let retry = "retry = { backoff = \"2s\" }";
    assert_eq!(
        found("", retry),
        ["warning no_effect route.r.retry.backoff"]
    );
}

#[test]
fn listeners_do_not_meet() {
    let clash = "error conflict admin.listen";
    let of = |server: &str, admin: &str| {
        found(
            &format!("[server]\nlisten = {server}\n[admin]\nlisten = {admin}"),
            "",
        )
    };
    assert_eq!(of("\"127.0.0.1:80\"", "\"127.0.0.1:80\""), [clash]);
    assert_eq!(of("\"0.0.0.0:80\"", "\"127.0.0.1:80\""), [clash]);
    assert_eq!(of("\"[::]:80\"", "\"127.0.0.1:80\""), [""; 0]);
    assert_eq!(of("\"127.0.0.1:0\"", "\"127.0.0.1:0\""), [""; 0]);
    assert_eq!(of("\"127.0.0.1:80\"", "\"off\""), [""; 0]);
    assert_eq!(found("[server]\nlisten = \"127.0.0.1:9090\"", ""), [clash]);
    assert_eq!(
        of("\"127.0.0.1:80\"", "\"0.0.0.0:81\""),
        ["warning conflict admin.listen"]
    );
    let twice = "[server]\nlisten = [\"127.0.0.1:80\", \"0.0.0.0:80\"]";
    assert_eq!(found(twice, ""), ["error conflict server.listen"]);
    let twice = "[[server.listen]]\naddress = \"unix:a\"\n[admin]\nlisten = \"unix:a\"";
    assert_eq!(found(twice, ""), [clash]);
}

#[test]
fn a_listener_is_an_address_or_a_table() {
    let bad = "error bad_value server.listen";
    assert_eq!(found("[server]\nlisten = []", ""), [bad]);
    assert_eq!(found("[server]\nlisten = 80", ""), [bad]);
    let list = "[server]\nlisten = [\"unix:/run/a\", \"unix:\", \"fd:\", { address = \"fd:web\" }]";
    let (second, third) = (format!("{bad}.2"), format!("{bad}.3"));
    assert_eq!(found(list, ""), [second, third]);
    let table = "[[server.listen]]\naddress = \"0.0.0.0:1\"\nmode = \"0600\"\nmod = 1\n\
                 [[server.listen]]\nmode = \"888\"\n[admin]\nlisten = { address = \"fd:3\" }";
    assert_eq!(
        found(table, ""),
        [
            "warning no_effect server.listen.1.mode",
            "error unknown_key server.listen.1.mod",
            "error missing server.listen.2.address",
            "error bad_value server.listen.2.mode",
        ]
    );
    let long = format!("[admin]\nlisten = \"unix:{}\"", "x".repeat(101));
    assert_eq!(found(&long, ""), ["error bad_value admin.listen"]);
}

#[test]
fn no_route_leads_back_to_the_gateway() {
    let of = |listen: &str, upstream: &str| {
        let text = format!(
            "[server]\nlisten = \"{listen}\"\n[[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = \"{upstream}\"\n"
        );
        load(Some(("f", &text)), [], &Overrides::default())
            .map(|_| ())
            .map_err(|e| e.count())
    };
    assert_eq!(of("0.0.0.0:8080", "http://127.0.0.1:8080"), Err(1));
    assert_eq!(of("0.0.0.0:8080", "http://localhost:8080"), Err(1));
    assert_eq!(of("[::1]:8080", "http://[::1]:8080"), Err(1));
    assert_eq!(of("127.0.0.1:80", "http://127.0.0.1"), Err(1));
    assert_eq!(of("0.0.0.0:8080", "http://127.0.0.1:8081"), Ok(()));
    assert_eq!(of("0.0.0.0:8080", "http://backend:8080"), Ok(()));
    assert_eq!(of("127.0.0.1:8080", "http://127.0.0.2:8080"), Ok(()));
}

#[test]
fn names_and_patterns_are_unique() {
    let route = |name: &str, pattern: &str| {
        format!("[[route]]\nname = \"{name}\"\nmatch = \"{pattern}\"\nupstream = \"http://b\"\n")
    };
    let of = |routes: &[(&str, &str)]| {
        let text: String = routes
            .iter()
            .map(|(name, pattern)| route(name, pattern))
            .collect();
        match load(Some(("f", &text)), [], &Overrides::default()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .findings()
                .iter()
                .map(|finding| (finding.code(), finding.key_path().unwrap_or("-").to_owned()))
                .collect(),
        }
    };
    assert_eq!(
        of(&[("a", "/a"), ("a", "/b")]),
        [(Code::Conflict, "route.a.name".to_owned())]
    );
    assert_eq!(
        of(&[("a", "/{x}"), ("b", "/b"), ("c", "/{y}")]),
        [(Code::Conflict, "route.c.match".to_owned())]
    );
    assert_eq!(of(&[("a", "GET /a"), ("b", "POST /a"), ("c", "/a")]), []);
}

#[test]
fn upstreams_and_urls() {
    let upstream = |url: &str| {
        let overrides = Overrides {
            upstream: Some(url.into()),
            ..Overrides::default()
        };
        load(None, [], &overrides)
            .map(|plan| plan.routes[0].upstream.upstreams().next().unwrap().clone())
            .ok()
    };
    let of = |url: &str| upstream(url).map(|it| (it.scheme.as_str(), it.host, it.port));
    assert_eq!(
        of("http://A.example"),
        Some(("http", "a.example".into(), 80))
    );
    assert_eq!(of("HTTPS://a:8443/"), Some(("https", "a".into(), 8443)));
    assert_eq!(of("http://[::1]:9000"), Some(("http", "::1".into(), 9000)));
    for wrong in [
        "",
        "a",
        "a:80",
        "//a",
        "http:a",
        "http://",
        "ftp://a",
        "http://a/b",
        "http://a?x",
        "http://a#x",
        "http://u:p@a",
        "http://a:0",
        "http://a:99999",
        "http://a:",
        "http://a b",
        "http://:80",
        "http://é",
    ] {
        assert_eq!(of(wrong), None, "{wrong}");
    }

    let several = |list: &str| {
        let overrides = Overrides {
            upstream: Some(list.into()),
            ..Overrides::default()
        };
        let plan = load(None, [], &overrides).ok()?;
        Some(plan.routes[0].upstream.to_string())
    };
    let two = several("http://a, https://b:8443").unwrap();
    assert_eq!(two, "http://a, https://b:8443");
    assert_eq!(several("http://a,http://a:80"), None);
    assert_eq!(several("http://a,"), None);

    let public = |url: &str| {
        let sections = format!("[server]\npublic_url = \"{url}\"");
        with(&sections, "")
            .ok()
            .and_then(|plan| plan.server.public_url)
    };
    assert_eq!(
        public("https://api.example.com/"),
        Some("https://api.example.com".into())
    );
    assert_eq!(
        public("https://api.example.com/v1/"),
        Some("https://api.example.com/v1".into())
    );
    assert_eq!(public("https://api.example.com/?a"), None);
}

#[test]
fn the_place_of_the_job_api() {
    let of = |path: &str| with(&format!("[server]\njobs_path = \"{path}\""), "").is_ok();
    for right in ["/jobs", "/a/b", "/-/jobs", "/_jobs", "/~a.b"] {
        assert!(of(right), "{right}");
    }
    for wrong in [
        "",
        "/",
        "jobs",
        "/jobs/",
        "//jobs",
        "/a//b",
        "/{x}",
        "/a b",
        "/..",
        "/a?",
        "/_raincheck",
        "/_raincheck/x",
    ] {
        assert!(!of(wrong), "{wrong}");
    }
}

#[test]
fn more_at_once_than_the_servers_have_connections_for_is_a_warning() {
    assert_eq!(found("", "concurrency = 10000"), [""; 0]);
    assert_eq!(
        found("", "concurrency = 10001"),
        ["warning conflict route.r.concurrency"]
    );
    let found = |upstream: &str, concurrency: u32| {
        let text = format!(
            "[[upstream]]\nname = \"u\"\nservers = [\"http://b\", \"http://c\"]\n{upstream}\n\
             [[route]]\nname = \"r\"\nmatch = \"/\"\nupstream = \"u\"\nconcurrency = {concurrency}"
        );
        let plan = load(Some(("f", &text)), [], &Overrides::default()).unwrap();
        plan.warnings.len()
    };
    assert_eq!(found("connections = 100", 200), 0);
    assert_eq!(found("connections = 100", 201), 1);
    assert_eq!(found("", 20_000), 0);
    // How many streams a connection takes is up to the server.
    assert_eq!(found("connections = 1\nprotocol = \"h2\"", 50_000), 0);
}
