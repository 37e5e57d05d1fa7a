//! What a route changes: paths, fields, redirects, who is served.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use raincheck_core::rewrite::access::plain_path;
use raincheck_core::rewrite::fields::{self, FieldError};
use raincheck_core::rewrite::prefix::has_dot_segment;
use raincheck_core::rewrite::redirect::{Asked, RedirectError};
use raincheck_core::rewrite::{Access, FieldRules, Prefix, Redirect};
use raincheck_core::route::Pattern;

fn changed(strip: usize, add: &str, target: &str) -> Result<String, ()> {
    let add = add.to_owned();
    let target: PathAndQuery = target.parse().unwrap();
    let changed = Prefix { strip, add }.apply(&target);
    changed.map(|c| c.target.to_string()).map_err(|_| ())
}

#[test]
fn whole_segments_come_off_and_go_on() {
    let strip = |target| changed(1, "", target).unwrap();
    assert_eq!(strip("/api/users?x=/api"), "/users?x=/api");
    assert_eq!(strip("/api"), "/");
    assert_eq!(strip("/api/"), "/");
    assert_eq!(strip("/api?q"), "/?q");
    assert_eq!(changed(2, "/v2/x", "/api/v1/users").unwrap(), "/v2/x/users");
    assert_eq!(changed(0, "/v2", "/users/").unwrap(), "/v2/users/");
    assert_eq!(changed(0, "/v2", "/").unwrap(), "/v2/");
}

#[test]
fn what_follows_the_prefix_goes_on_byte_for_byte() {
    for rest in [
        "/a%2Fb",
        "/a%2fb//c",
        "/%61;x=1/~",
        "/caf\u{e9}/%C3%A9",
        "/a.b/..c/...",
        "/%252e%252e/x",
    ] {
        assert_eq!(changed(1, "", &format!("/api{rest}")).unwrap(), rest);
    }
    // An encoded slash is no slash: it does not end a segment.
    assert_eq!(changed(1, "", "/a%2Fb/c").unwrap(), "/c");
}

#[test]
fn no_stripped_path_begins_with_two_slashes() {
    assert_eq!(
        changed(1, "", "/api//evil.example/x").unwrap(),
        "/evil.example/x"
    );
    assert_eq!(changed(1, "/v2", "/api///x").unwrap(), "/v2/x");
}

#[test]
fn paths_that_could_leave_their_prefix_are_refused() {
    for path in [
        "/api/../admin",
        "/api/..",
        "/api/./x",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/.%2e",
        "/api/..%2fadmin",
        "/api/x%2f..%2fadmin",
        "/api/..;/admin",
        "/api/..;a=b/admin",
        "/api/..%3b/admin",
        "/api/..\\admin",
        "/api/x%5c..%5cadmin",
        "/..",
    ] {
        assert_eq!(changed(1, "", path), Err(()), "{path}");
        assert!(has_dot_segment(path), "{path}");
    }
}

#[test]
fn a_prefix_must_be_one_of_the_pattern() {
    let segments = |pattern: &str, prefix| {
        pattern
            .parse::<Pattern>()
            .unwrap()
            .segments_of_prefix(prefix)
    };
    assert_eq!(segments("GET a.example/api/v1/{*path}", "/api"), Some(1));
    assert_eq!(segments("/api/v1/{*path}", "/api/v1"), Some(2));
    assert_eq!(segments("/{tenant}/api/{*path}", "/{tenant}/api"), Some(2));
    assert_eq!(segments("/api", "/api"), Some(1));
    for (pattern, prefix) in [
        ("/{*path}", "/api"),
        ("/api/{*path}", "/ap"),
        ("/api/{*path}", "/api/{*path}"),
        ("/a/{*p}", "/a/b"),
    ] {
        assert_eq!(segments(pattern, prefix), None, "{pattern} {prefix}");
    }
}

#[test]
fn rules_change_fields_and_keep_the_order() {
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let rules = FieldRules {
        remove: vec![name("cookie"), name("x-gone")],
        set: vec![(name("b"), value("new")), (name("d"), value("4"))],
        add: vec![(name("a"), value("more"))],
    };
    let mut headers = HeaderMap::new();
    for (n, v) in [
        ("a", "1"),
        ("cookie", "x"),
        ("b", "2"),
        ("b", "3"),
        ("c", "3"),
    ] {
        headers.append(name(n), value(v));
    }
    rules.apply(&mut headers);
    let seen: Vec<_> = headers
        .iter()
        .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
        .collect();
    assert_eq!(seen, ["a: 1", "a: more", "b: new", "c: 3", "d: 4"]);
}

#[test]
fn fields_of_one_hop_of_ours_and_of_origin_are_not_for_rules() {
    let check = |name: &'static str| fields::check(&HeaderName::from_static(name));
    for name in [
        "connection",
        "te",
        "transfer-encoding",
        "content-length",
        "upgrade",
        "keep-alive",
        "trailer",
        "expect",
        "transfer_encoding",
    ] {
        assert_eq!(check(name), Err(FieldError::Hop), "{name}");
    }
    assert_eq!(check("raincheck-job-id"), Err(FieldError::Own));
    assert_eq!(check("raincheck_job_id"), Err(FieldError::Own));
    assert_eq!(check("host"), Err(FieldError::Host));
    assert_eq!(check("x-forwarded-for"), Err(FieldError::Origin));
    assert_eq!(check("forwarded"), Err(FieldError::Origin));
    assert_eq!(check("authorization"), Ok(()));
}

fn asked<'a>(scheme: &'a str, host: &'a str, port: Option<u16>, target: &'a str) -> Asked<'a> {
    Asked {
        scheme,
        host,
        port,
        target,
    }
}

fn redirect(pattern: &str, to: &str, asked: Asked<'_>) -> Option<String> {
    Redirect::new(to, 308, &pattern.parse().unwrap())
        .unwrap()
        .location(asked)
}

#[test]
fn http_goes_to_https_with_its_host_and_https_stays() {
    let to = |asked| redirect("/{*path}", "https://{host}{uri}", asked);
    assert_eq!(
        to(asked("http", "a.example", None, "/x?y=1")).unwrap(),
        "https://a.example/x?y=1"
    );
    assert_eq!(
        to(asked("http", "a.example", Some(8080), "/")).unwrap(),
        "https://a.example/"
    );
    assert_eq!(
        to(asked("http", "[::1]", Some(80), "/x")).unwrap(),
        "https://[::1]/x"
    );
    assert_eq!(to(asked("https", "a.example", None, "/x?y=1")), None);
    assert_eq!(to(asked("https", "A.example", Some(443), "/x")), None);
    let other = |asked| redirect("/{*path}", "https://{host}:8443{uri}", asked);
    assert_eq!(
        other(asked("https", "a", None, "/")).unwrap(),
        "https://a:8443/"
    );
    assert_eq!(other(asked("https", "a", Some(8443), "/")), None);
}

#[test]
fn placeholders_of_the_pattern_are_filled_in() {
    let to =
        |to, target| redirect("/old/{name}/{*rest}", to, asked("http", "a", None, target)).unwrap();
    assert_eq!(to("/new/{rest}{query}", "/old/x/y/z?q=1"), "/new/y/z?q=1");
    assert_eq!(to("/new/{name}", "/old/x/y?q=1"), "/new/x");
    assert_eq!(
        to("https://b.example/{name}/{rest}", "/old/x/"),
        "https://b.example/x/"
    );
    assert_eq!(
        to("https://b.example{uri}", "/old/x/y?q"),
        "https://b.example/old/x/y?q"
    );
    assert_eq!(to("/n/{rest}", "/old/x/\u{e9}|\"\\"), "/n/%C3%A9%7C%22%5C");
}

#[test]
fn no_redirect_can_be_bent_to_another_host() {
    let to = |pattern, to, target| redirect(pattern, to, asked("http", "a", None, target)).unwrap();
    assert_eq!(
        to("/old/{*rest}", "/{rest}", "/old//evil.example/"),
        "/evil.example/"
    );
    assert_eq!(
        to("/old/{*rest}", "/{rest}", "/old/\\evil.example"),
        "/%5Cevil.example"
    );
    assert_eq!(
        to("/{*rest}", "https://b.example/{rest}", "/.evil.example"),
        "https://b.example/.evil.example"
    );
    let new = |to: &str| Redirect::new(to, 308, &"/{*rest}".parse().unwrap());
    assert_eq!(
        new("https://b.example{rest}"),
        Err(RedirectError::AfterHost)
    );
    assert_eq!(new("https://{rest}"), Err(RedirectError::Host));
    assert_eq!(new("https://{host}.evil"), Err(RedirectError::AfterHost));
    assert_eq!(new("https://b.example:{rest}"), Err(RedirectError::Host));
    assert_eq!(new("//evil.example/"), Err(RedirectError::NoUrl));
    assert_eq!(new("{uri}"), Err(RedirectError::NoUrl));
    assert_eq!(new("ftp://a/"), Err(RedirectError::NoUrl));
    assert_eq!(new("https://u@b.example/"), Err(RedirectError::Host));
    assert_eq!(
        new("/{other}"),
        Err(RedirectError::Placeholder("other".into()))
    );
    assert_eq!(new("/a b"), Err(RedirectError::Character(' ')));
    assert_eq!(
        Redirect::new("/", 200, &"/x".parse().unwrap()),
        Err(RedirectError::Status(200))
    );
}

#[test]
fn denied_comes_before_allowed_and_nobody_knows_is_neither() {
    let nets = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
    let access = Access {
        allow: nets(&["10.0.0.0/8", "2001:db8::/32"]),
        deny: nets(&["10.1.0.0/16"]),
    };
    let allows = |address: &str| access.allows(Some(address.parse().unwrap()));
    assert!(allows("10.2.0.1") && allows("2001:db8::1") && allows("::ffff:10.2.0.1"));
    assert!(!allows("10.1.2.3") && !allows("192.0.2.1") && !allows("::ffff:10.1.0.1"));
    assert!(!access.allows(None));
    assert!(Access::default().allows(None) && Access::default().is_open());
}

#[test]
fn every_spelling_of_a_path_is_seen_through() {
    for path in [
        "/x/../admin/a",
        "//admin/a",
        "/%61dmin/a",
        "/x/%2e%2e/admin/a",
        "/admin%2Fa",
        "/admin;v=1/a",
        "/./admin//a",
        "\\admin\\a".replace('\\', "/\\").as_str(),
        "/x/..%5cadmin/a",
        "/..;/admin/a",
    ] {
        assert_eq!(plain_path(path).as_deref(), Some("/admin/a"), "{path}");
    }
    assert_eq!(plain_path("/admin/a"), None);
    assert_eq!(plain_path("/a.b/c-d"), None);
    assert_eq!(plain_path("/.well-known/x"), None);
    assert_eq!(plain_path("/%61/").as_deref(), Some("/a/"));
    assert_eq!(plain_path("/%2"), None);
    assert_eq!(plain_path("/../.."), Some("/".to_owned()));
}

proptest! {
    /// Whatever a client asks for, a stripped path is below what is added and nowhere else.
    #[test]
    fn a_changed_path_stays_below_its_prefix(path in "/[a-c./%;\\\\25eEfF]{0,24}") {
        let target: PathAndQuery = path.parse().unwrap();
        let prefix = Prefix { strip: 1, add: "/t".into() };
        if let Ok(changed) = prefix.apply(&target) {
            let new = changed.target.path();
            prop_assert!(new.starts_with("/t/") && !new.starts_with("/t//"), "{new}");
            prop_assert!(!has_dot_segment(new), "{new}");
        }
    }

    /// Whatever stands in a target, the host of a redirect is the one of the config.
    #[test]
    fn a_redirect_keeps_its_host(target in "/[a-z./?%:@#\\\\{}é]{0,24}") {
        let to = Redirect::new("https://b.example/n/{rest}{query}", 302, &"/{*rest}".parse().unwrap()).unwrap();
        let place = to.location(asked("http", "a", None, &target)).unwrap();
        let uri: http::Uri = place.parse().unwrap();
        prop_assert_eq!(uri.authority().unwrap().as_str(), "b.example");
    }
}
