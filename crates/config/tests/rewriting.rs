//! The keys that change requests and answers: what they come to, and what is wrong with them.

use raincheck_config::{Errors, Overrides, Plan, load};
use raincheck_core::rewrite::cors::Origins;
use raincheck_core::rewrite::redirect::Asked;
use raincheck_core::rewrite::{Coding, HostRule, Rewrite};

fn with(sections: &str, route: &str) -> Result<Plan, Errors> {
    let text =
        format!("{sections}\n[[route]]\nname = \"r\"\nmatch = \"/api/{{*rest}}\"\n{route}\n");
    load(Some(("f", &text)), [], &Overrides::default())
}

fn rewrite(route: &str) -> Rewrite {
    let route = format!("upstream = \"http://b\"\n{route}");
    let plan = with("", &route).unwrap_or_else(|errors| panic!("{errors}"));
    plan.routes[0]
        .rewrite
        .as_deref()
        .cloned()
        .unwrap_or_default()
}

/// Each finding as `key: message`.
fn wrong(sections: &str, route: &str) -> Vec<String> {
    let route = format!("upstream = \"http://b\"\n{route}");
    let findings = match with(sections, &route) {
        Ok(plan) => plan.warnings,
        Err(errors) => errors.findings().to_vec(),
    };
    let said = findings.iter();
    said.map(|f| format!("{}: {}", f.key_path().unwrap_or_default(), f.message()))
        .collect()
}

#[test]
fn a_route_that_changes_nothing_has_no_rules() {
    let plan = with(
        "",
        "upstream = \"http://b\"\nallow = []\ncompress = []\nhost = \"preserve\"",
    )
    .unwrap();
    assert_eq!(plan.routes[0].rewrite, None);
}

#[test]
fn every_key_comes_to_something() {
    let all = rewrite(
        r#"strip_prefix = "/api"
        add_prefix = "/v2"
        host = "app.internal:8080"
        allow = ["10.0.0.0/8"]
        deny = "10.1.0.1"
        compress = ["gzip", "zstd"]
        request_headers = { set = { X-Env = "test" }, add = { X-Seen = ["a", "b"] }, remove = ["Cookie"] }
        [route.response_headers]
        remove = "Server"
        [route.cors]
        origins = ["https://*.example.com"]
        methods = ["PUT"]
        headers = ["X-Token"]
        expose = ["X-Total"]
        credentials = true
        max_age = "1h""#,
    );
    assert_eq!((all.prefix.strip, &*all.prefix.add), (1, "/v2"));
    assert_eq!(
        all.host,
        HostRule::Name("app.internal:8080".parse().unwrap())
    );
    assert!(
        all.access.allows("10.2.0.1".parse().ok()) && !all.access.allows("10.1.0.1".parse().ok())
    );
    assert_eq!(all.compress, [Coding::Gzip, Coding::Zstd]);
    assert_eq!(all.request_fields.set.len(), 1);
    assert_eq!(all.request_fields.add.len(), 2);
    assert_eq!(all.request_fields.remove, ["cookie"]);
    assert_eq!(all.response_fields.remove, ["server"]);
    let cors = all.cors.unwrap();
    assert!(matches!(cors.origins, Origins::Some(rules) if rules.len() == 1));
    assert!(cors.credentials && cors.max_age.as_secs() == 3600);
    assert_eq!(
        (
            cors.methods.len(),
            cors.headers.unwrap().len(),
            cors.expose.len()
        ),
        (1, 1, 1)
    );
    assert_eq!(rewrite("host = \"upstream\"").host, HostRule::Upstream);
    let open = rewrite("cors = { origins = \"*\", headers = \"*\" }")
        .cors
        .unwrap();
    assert_eq!((open.origins, open.headers), (Origins::Any, None));
}

#[test]
fn a_route_that_answers_needs_no_upstream() {
    let plan = with("", "redirect = { to = \"/new/{rest}{query}\" }").unwrap();
    let redirect = plan.routes[0]
        .rewrite
        .as_ref()
        .unwrap()
        .redirect
        .clone()
        .unwrap();
    let asked = Asked {
        scheme: "http",
        host: "a",
        port: None,
        target: "/api/x?y",
    };
    assert_eq!(
        (redirect.status, redirect.location(asked)),
        (307, Some("/new/x?y".to_owned()))
    );
    let plan = with(
        "",
        "respond = { status = 503, body = \"noon\", headers = { Retry-After = \"9\" } }",
    )
    .unwrap();
    let respond = plan.routes[0]
        .rewrite
        .as_ref()
        .unwrap()
        .respond
        .clone()
        .unwrap();
    assert_eq!((respond.status, &*respond.body), (503, &b"noon"[..]));
    assert_eq!(respond.fields["content-type"], "text/plain; charset=utf-8");
    assert_eq!(respond.fields["retry-after"], "9");
    let plan = with("", "respond = { file = \"down.html\" }").unwrap();
    let respond = plan.routes[0]
        .rewrite
        .as_ref()
        .unwrap()
        .respond
        .clone()
        .unwrap();
    assert_eq!(respond.fields["content-type"], "text/html; charset=utf-8");
    assert!(respond.file.is_some());
}

/// Keys, and what is said of them.
const WRONG: &[(&str, &str)] = &[
    (
        "strip_prefix = \"/other\"",
        "route.r.strip_prefix: `strip_prefix`: not every path of route 'r' begins with /other",
    ),
    (
        "strip_prefix = \"/api/\"",
        "route.r.strip_prefix: bad value for `strip_prefix`: it is not '/' and segments of a path",
    ),
    (
        "add_prefix = \"/a/../b\"",
        "route.r.add_prefix: bad value for `add_prefix`: it is not '/' and segments of a path",
    ),
    (
        "host = \"a b\"",
        "route.r.host: bad value for `host`: it is not a host",
    ),
    (
        "host = \"u@a\"",
        "route.r.host: bad value for `host`: it is not a host",
    ),
    (
        "request_headers = { set = { Connection = \"x\" } }",
        "route.r.request_headers.set: bad value for `set`: `Connection` cannot be changed: it belongs to one connection and is made anew on each side",
    ),
    (
        "response_headers = { remove = [\"Raincheck-Job-Id\"] }",
        "route.r.response_headers.remove: bad value for `remove`: `Raincheck-Job-Id` cannot be changed: only raincheck sets it",
    ),
    (
        "request_headers = { set = { Host = \"x\" } }",
        "route.r.request_headers.set: bad value for `set`: `Host` cannot be changed: the host has a key of its own, `host`",
    ),
    (
        "request_headers = { add = { \"a b\" = \"x\" } }",
        "route.r.request_headers.add: bad value for `add`: \"a b\" is not a header name",
    ),
    (
        "request_headers = { add = { a = \"x\\ny\" } }",
        "route.r.request_headers.add: bad value for `add`: a header value has no control characters",
    ),
    (
        "allow = [\"10.0.0.0/40\"]",
        "route.r.allow: bad value for `allow`: it is not a network or address",
    ),
    (
        "compress = [\"br\"]",
        "route.r.compress: bad value for `compress`: it is not one of the known words",
    ),
    (
        "redirect = { to = \"https://{rest}\" }",
        "route.r.redirect.to: bad value for `to`: its host is neither a name, maybe with a port, nor {host}",
    ),
    (
        "redirect = { status = 301 }",
        "route.r.redirect.to: a redirect has no `to`",
    ),
    (
        "redirect = { to = \"/x\", status = 200 }",
        "route.r.redirect.status: bad value for `status`: 200 is not the status of a redirect",
    ),
    (
        "respond = { status = 101 }",
        "route.r.respond.status: bad value for `status`: 101 is out of range",
    ),
    (
        "respond = { body = \"a\", file = \"b\" }",
        "route.r.respond.file: an answer has either a `body` or a `file`",
    ),
    (
        "mode = \"sync\"\ncors = { methods = [\"PUT\"] }",
        "route.r.cors.origins: `cors` has no `origins`",
    ),
    (
        "mode = \"sync\"\ncors = { origins = [\"https://a/\"] }",
        "route.r.cors.origins: bad value for `origins`: an origin has no path, and no slash at its end",
    ),
    (
        "mode = \"sync\"\ncors = { origins = [\"*\", \"https://a\"] }",
        "route.r.cors.origins: bad value for `origins`: \"*\" stands alone",
    ),
    (
        "mode = \"sync\"\ncors = { origins = \"*\", credentials = true }",
        "route.r.cors.credentials: no browser sends credentials where every origin is let in",
    ),
    (
        "mode = \"sync\"\ncors = { origins = \"*\", methods = [\"put\"] }",
        "route.r.cors.methods: bad value for `methods`: \"put\" is not a method",
    ),
    (
        "cors = { origins = \"*\" }",
        "route.r.cors.origins: scripts on other origins may get a ticket of route 'r', and then cannot ask for its result",
    ),
];

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (route, said) in WRONG {
        assert!(
            wrong("", route).contains(&(*said).to_owned()),
            "{route}\n{:?}",
            wrong("", route)
        );
    }
    let jobs = "[server]\ncors = { origins = \"*\" }";
    assert_eq!(
        wrong(jobs, "cors = { origins = \"*\" }"),
        Vec::<String>::new()
    );
    let both = "[server]\ncors = { origins = \"*\", credentials = true }";
    assert_eq!(wrong(both, "").len(), 1);
}
