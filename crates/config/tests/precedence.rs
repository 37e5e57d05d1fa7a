//! File < environment < flags, and own keys before common ones.

use std::time::Duration;

use raincheck_config::plan::Address;
use raincheck_config::{Overrides, Plan, load};
use raincheck_core::route::{HoldUntil, Mode};

const FILE: &str = r#"
[server]
listen = ["127.0.0.1:1000", "127.0.0.1:1001"]
trusted_proxies = ["10.0.0.0/8"]

[defaults]
upstream = "http://one:9000"
hold = "10s"
retry = { attempts = 4, backoff = "2s" }

[[route]]
name = "a"
match = "/a"

[[route]]
name = "b"
match = "/b"
upstream = "https://two/"
hold = "11s"
retry = { attempts = 2 }
"#;

fn plan(text: &str, environment: &[(&str, &str)], overrides: &Overrides) -> Plan {
    let environment = environment
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()));
    load(Some(("raincheck.toml", text)), environment, overrides)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn holds(plan: &Plan) -> Vec<u64> {
    plan.routes
        .iter()
        .map(|route| route.hold.as_secs())
        .collect()
}

#[test]
fn own_keys_come_before_defaults_key_by_key() {
    let plan = plan(FILE, &[], &Overrides::default());
    assert_eq!(holds(&plan), [10, 11]);
    let upstreams: Vec<_> = plan
        .routes
        .iter()
        .map(|route| route.upstream.to_string())
        .collect();
    assert_eq!(upstreams, ["http://one:9000", "https://two"]);
    let retries: Vec<_> = plan
        .routes
        .iter()
        .map(|route| (route.retry.attempts, route.retry.backoff.as_secs()))
        .collect();
    assert_eq!(retries, [(4, 2), (2, 2)]);
}

fn port(plan: &Plan) -> u16 {
    match plan.server.listen[0].address {
        Address::Tcp(addr) => addr.port(),
        ref other => panic!("{other}"),
    }
}

#[test]
fn variables_come_before_the_file() {
    let environment = [
        ("RAINCHECK_SERVER_LISTEN", "127.0.0.1:2000,[::1]:2000"),
        ("RAINCHECK_SERVER_MAX_CONNECTIONS", "7"),
        (
            "RAINCHECK_SERVER_TRUSTED_PROXIES",
            "192.0.2.7, 2001:db8::/32",
        ),
        ("RAINCHECK_ADMIN_LISTEN", "off"),
        ("RAINCHECK_STORE_PATH", "/var/lib/raincheck"),
        ("RAINCHECK_DEFAULTS_HOLD", "12s"),
        ("RAINCHECK_DEFAULTS_RETRY_UNSAFE", "true"),
        ("RAINCHECK_DEFAULTS_RETRY_ON", "connect,5xx"),
    ];
    let plan = plan(FILE, &environment, &Overrides::default());
    assert_eq!(plan.server.listen.len(), 2);
    assert_eq!(port(&plan), 2000);
    assert_eq!(plan.server.max_connections, 7);
    let proxies: Vec<_> = plan
        .server
        .trusted_proxies
        .networks
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(proxies, ["192.0.2.7/32", "2001:db8::/32"]);
    assert_eq!(plan.admin.listen, None);
    assert_eq!(plan.store.path.to_str(), Some("/var/lib/raincheck"));
    assert_eq!(holds(&plan), [12, 11]);
    assert!(plan.routes.iter().all(|route| route.retry.repeat_unsafe));
    assert!(
        plan.routes
            .iter()
            .all(|route| !route.retry.on.timeout && route.retry.on.connect)
    );
}

#[test]
fn variables_and_flags_for_all_routes_come_before_own_keys() {
    let plan_of = |overrides| plan(FILE, &[("RAINCHECK_HOLD", "13s")], &overrides);
    assert_eq!(holds(&plan_of(Overrides::default())), [13, 13]);
    let flags = Overrides {
        hold: Some("14s".into()),
        mode: Some("async".into()),
        listen: Some("127.0.0.1:3000".into()),
        ..Overrides::default()
    };
    let plan = plan_of(flags);
    assert_eq!(holds(&plan), [14, 14]);
    assert!(plan.routes.iter().all(|route| route.mode == Mode::Async));
    assert_eq!(port(&plan), 3000);
}

#[test]
fn an_upstream_by_variable_needs_no_file() {
    let environment = [("RAINCHECK_UPSTREAM".to_owned(), "http://backend".to_owned())];
    let plan = load(None, environment, &Overrides::default()).unwrap();
    assert_eq!(plan.routes[0].upstream.to_string(), "http://backend");
}

#[test]
fn empty_variables_and_those_of_kubernetes_and_commands_are_ignored() {
    let environment = [
        ("RAINCHECK_SERVER_LISTEN", ""),
        ("RAINCHECK_NO_SUCH_KEY", ""),
        ("RAINCHECK_CONFIG", "raincheck.toml"),
        ("RAINCHECK_PORT", "tcp://10.0.0.1:8080"),
        ("RAINCHECK_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("RAINCHECK_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("RAINCHECK_SERVICE_HOST", "10.0.0.1"),
        ("RAINCHECK_SERVICE_PORT_HTTP", "8080"),
        ("RAINCHECK_ADMIN_SERVICE_HOST", "10.0.0.1"),
        ("PATH", "/bin"),
    ];
    let plan = plan(FILE, &environment, &Overrides::default());
    assert_eq!(port(&plan), 1000);
}

#[test]
fn strings_of_the_file_take_variables() {
    let text = r#"
[store]
path = "${DIR}/jobs$${x}"
[[route]]
name = "a"
match = "/"
upstream = "http://${HOST:-localhost}:${PORT:-9000}"
"#;
    let plan = plan(
        text,
        &[("DIR", "/data"), ("PORT", "")],
        &Overrides::default(),
    );
    assert_eq!(plan.store.path.to_str(), Some("/data/jobs${x}"));
    assert_eq!(plan.routes[0].upstream.to_string(), "http://localhost:9000");
}

#[test]
fn what_stands_in_front_sets_the_hold() {
    let of = |behind: &str| {
        let overrides = Overrides {
            upstream: Some("http://127.0.0.1:9000".into()),
            behind: Some(behind.into()),
            ..Overrides::default()
        };
        let plan = load(None, [], &overrides).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(plan.warnings, [], "{behind}");
        (plan.routes[0].hold.as_secs(), plan.routes[0].hold_until)
    };
    assert_eq!(of("api-gateway"), (25, HoldUntil::Complete));
    assert_eq!(of("http-api"), (25, HoldUntil::Complete));
    assert_eq!(of("alb"), (55, HoldUntil::Head));
    assert_eq!(of("nginx"), (55, HoldUntil::Head));
    assert_eq!(of("cloudflare"), (95, HoldUntil::Head));
    assert_eq!(of("azure"), (220, HoldUntil::Head));
    assert_eq!(of("envoy"), (12, HoldUntil::Complete));
}

#[test]
fn an_explicit_hold_beats_what_stands_in_front() {
    let overrides = Overrides {
        behind: Some("alb".into()),
        ..Overrides::default()
    };
    assert_eq!(holds(&plan(FILE, &[], &overrides)), [10, 11]);
}

#[test]
fn one_wait_of_a_retry_gives_way_to_the_other() {
    let of = |retry: &str| {
        let text = format!("[defaults.retry]\nattempts = 2\n{retry}\n");
        let overrides = Overrides {
            upstream: Some("http://a".into()),
            ..Overrides::default()
        };
        let retry = plan(&text, &[], &overrides).routes[0].retry.clone();
        (retry.backoff, retry.max_backoff)
    };
    let (minute, tiny) = (Duration::from_secs(60), Duration::from_millis(5));
    assert_eq!(of("backoff = \"2m\""), (minute * 2, minute * 2));
    assert_eq!(of("max_backoff = \"5ms\""), (tiny, tiny));
    assert_eq!(of("backoff = \"5ms\""), (tiny, minute));
}
