//! What browsers and clients that can unpack are told: CORS and content codings.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use raincheck_core::rewrite::compress::{decide, wanted};
use raincheck_core::rewrite::cors::{EXPOSED, OriginError, OriginRule, Origins, asked_method};
use raincheck_core::rewrite::{Coding, Cors};

fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in list {
        headers.append(
            HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    headers
}

fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

fn some(rules: &[&str], credentials: bool) -> Cors {
    Cors {
        origins: Origins::Some(rules.iter().map(|rule| rule.parse().unwrap()).collect()),
        methods: Vec::new(),
        headers: None,
        expose: Vec::new(),
        credentials,
        max_age: Duration::from_secs(600),
    }
}

#[test]
fn origins_are_exact_or_below_a_domain() {
    let takes =
        |rule: &str, origin: &str| rule.parse::<OriginRule>().unwrap().takes(origin.as_bytes());
    assert!(takes("https://App.example", "https://app.example"));
    assert!(takes("http://localhost:3000", "http://localhost:3000"));
    assert!(takes("https://*.example.com", "https://a.example.com"));
    assert!(takes("https://*.example.com", "https://a.b.example.com"));
    assert!(takes(
        "https://*.example.com:8443",
        "https://a.example.com:8443"
    ));
    for (rule, origin) in [
        ("https://app.example", "http://app.example"),
        ("https://app.example", "https://app.example:444"),
        ("https://app.example", "https://app.example.evil"),
        ("https://*.example.com", "https://example.com"),
        ("https://*.example.com", "https://evilexample.com"),
        ("https://*.example.com", "https://evil.example/.example.com"),
        ("https://*.example.com", "https://.example.com"),
        ("https://*.example.com", "https://a.example.com:444"),
        ("https://*.example.com", "null"),
    ] {
        assert!(!takes(rule, origin), "{rule} {origin}");
    }
    for (text, error) in [
        ("app.example", OriginError::NoScheme),
        ("null", OriginError::Null),
        ("https://app.example/", OriginError::Path),
        ("https://app.*.example", OriginError::Host),
        ("https://*", OriginError::Host),
        ("https://*.", OriginError::Host),
        ("https://a:443", OriginError::DefaultPort),
        ("http://a:0", OriginError::Host),
        ("https://u@a", OriginError::Host),
    ] {
        assert_eq!(text.parse::<OriginRule>(), Err(error), "{text}");
    }
}

#[test]
fn a_preflight_is_told_by_its_fields() {
    let asks = fields(&[
        ("origin", "https://a"),
        ("access-control-request-method", "PUT"),
    ]);
    assert_eq!(asked_method(&Method::OPTIONS, &asks), Some(Method::PUT));
    assert_eq!(asked_method(&Method::GET, &asks), None);
    assert_eq!(
        asked_method(&Method::OPTIONS, &fields(&[("origin", "https://a")])),
        None
    );
    assert_eq!(
        asked_method(
            &Method::OPTIONS,
            &fields(&[("access-control-request-method", "PUT")])
        ),
        None
    );
}

#[test]
fn a_preflight_gets_leave_or_none() {
    let cors = some(&["https://app.example"], true);
    let ask = |origin| {
        fields(&[
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type,x-mine"),
        ])
    };
    let leave = cors.preflight(&ask("https://app.example"));
    assert!(leave.allowed);
    assert_eq!(
        get(&leave.headers, "access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(
        get(&leave.headers, "access-control-allow-credentials"),
        Some("true")
    );
    assert_eq!(
        get(&leave.headers, "access-control-allow-methods"),
        Some("GET, HEAD, POST, PUT, PATCH, DELETE")
    );
    assert_eq!(
        get(&leave.headers, "access-control-allow-headers"),
        Some("content-type,x-mine")
    );
    assert_eq!(get(&leave.headers, "access-control-max-age"), Some("600"));
    let vary: Vec<_> = leave.headers.get_all("vary").iter().collect();
    assert_eq!(
        vary,
        [
            "Origin",
            "Access-Control-Request-Method",
            "Access-Control-Request-Headers"
        ]
    );

    let none = cors.preflight(&ask("https://evil.example"));
    assert!(!none.allowed);
    assert!(
        !none
            .headers
            .keys()
            .any(|name| name.as_str().starts_with("access-control-"))
    );
    assert_eq!(get(&none.headers, "vary"), Some("Origin"));

    let strict = Cors {
        methods: vec![Method::PUT],
        headers: Some(vec![HeaderName::from_static("content-type")]),
        ..some(&["https://app.example"], false)
    };
    let leave = strict.preflight(&ask("https://app.example")).headers;
    assert_eq!(get(&leave, "access-control-allow-methods"), Some("PUT"));
    assert_eq!(
        get(&leave, "access-control-allow-headers"),
        Some("content-type")
    );
    assert_eq!(get(&leave, "access-control-allow-credentials"), None);
    let forged = fields(&[
        ("origin", "https://app.example"),
        ("access-control-request-headers", "a b"),
    ]);
    let loose = some(&["https://app.example"], false)
        .preflight(&forged)
        .headers;
    assert_eq!(get(&loose, "access-control-allow-headers"), None);
}

#[test]
fn answers_show_our_fields_and_drop_what_the_backend_said() {
    let cors = Cors {
        expose: vec![HeaderName::from_static("x-total")],
        ..some(&["https://app.example"], false)
    };
    let mut headers = fields(&[
        ("a", "1"),
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("b", "2"),
        ("vary", "Accept"),
    ]);
    cors.apply(
        Some(&HeaderValue::from_static("https://app.example")),
        &mut headers,
    );
    assert_eq!(
        get(&headers, "access-control-allow-origin"),
        Some("https://app.example")
    );
    assert_eq!(get(&headers, "access-control-allow-credentials"), None);
    let exposed = get(&headers, "access-control-expose-headers").unwrap();
    assert!(EXPOSED.iter().all(|name| exposed.contains(name)) && exposed.ends_with(", x-total"));
    assert_eq!(
        headers.get_all("vary").iter().collect::<Vec<_>>(),
        ["Accept", "Origin"]
    );
    assert_eq!(headers.keys().take(2).collect::<Vec<_>>(), ["a", "b"]);

    let mut stranger = fields(&[("access-control-allow-origin", "*")]);
    cors.apply(
        Some(&HeaderValue::from_static("https://evil.example")),
        &mut stranger,
    );
    cors.apply(None, &mut stranger);
    assert_eq!(stranger, fields(&[("vary", "Origin")]));

    let open = Cors {
        origins: Origins::Any,
        ..some(&[], false)
    };
    let mut anyone = HeaderMap::new();
    open.apply(None, &mut anyone);
    assert_eq!(get(&anyone, "access-control-allow-origin"), Some("*"));
    assert_eq!(get(&anyone, "vary"), None);
}

const BOTH: [Coding; 2] = [Coding::Zstd, Coding::Gzip];

fn coding(accept: &str) -> Option<Coding> {
    wanted(&Method::GET, &fields(&[("accept-encoding", accept)]), &BOTH).coding
}

#[test]
fn the_coding_is_the_one_the_client_likes_most() {
    use Coding::{Gzip, Zstd};
    for (accept, coded) in [
        ("gzip", Some(Gzip)),
        ("gzip, deflate, br, zstd", Some(Zstd)),
        ("gzip;q=1.0, zstd;q=0.5", Some(Gzip)),
        ("GZIP ; q=0.001", Some(Gzip)),
        ("*", Some(Zstd)),
        ("zstd;q=0, *;q=0.3", Some(Gzip)),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0.4", Some(Gzip)),
        ("br", None),
        ("", None),
        ("gzip;q=0", None),
        ("gzip;q=2", None),
        ("gzip;q=abc", None),
        ("gzipx", None),
    ] {
        assert_eq!(coding(accept), coded, "{accept}");
    }
    assert_eq!(wanted(&Method::GET, &HeaderMap::new(), &BOTH).coding, None);
}

fn decided(
    status: u16,
    head: &[(&'static str, &str)],
    len: Option<u64>,
) -> (Option<Coding>, HeaderMap) {
    let mut headers = fields(head);
    let wanted = wanted(&Method::GET, &fields(&[("accept-encoding", "gzip")]), &BOTH);
    let coding = decide(
        wanted,
        StatusCode::from_u16(status).unwrap(),
        &mut headers,
        len,
    );
    (coding, headers)
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

#[test]
fn the_head_says_what_was_done() {
    let head = [
        JSON,
        ("content-length", "5000"),
        ("etag", "\"x\""),
        ("accept-ranges", "bytes"),
        ("vary", "Origin"),
    ];
    let (coding, headers) = decided(200, &head, Some(5000));
    assert_eq!(coding, Some(Coding::Gzip));
    let mut wanted = fields(&[JSON, ("content-encoding", "gzip"), ("etag", "W/\"x\"")]);
    wanted.append("vary", HeaderValue::from_static("Origin"));
    wanted.append("vary", HeaderValue::from_static("Accept-Encoding"));
    assert_eq!(headers, wanted);
    let weak = decided(
        200,
        &[JSON, ("etag", "W/\"x\""), ("vary", "accept-encoding")],
        None,
    )
    .1;
    assert_eq!(
        (get(&weak, "etag"), weak.get_all("vary").iter().count()),
        (Some("W/\"x\""), 1)
    );
}

#[test]
fn what_must_stay_as_it_is_stays() {
    for kind in [
        "text/html",
        "image/svg+xml",
        "application/problem+json",
        "TEXT/PLAIN",
    ] {
        assert_eq!(
            decided(404, &[("content-type", kind)], None).0,
            Some(Coding::Gzip),
            "{kind}"
        );
    }
    for kind in [
        "text/event-stream",
        "image/png",
        "application/octet-stream",
        "application/grpc",
        "video/mp4",
    ] {
        assert_eq!(
            decided(200, &[("content-type", kind)], None).0,
            None,
            "{kind}"
        );
    }
    for status in [204, 205, 206, 304] {
        assert_eq!(decided(status, &[JSON], None).0, None, "{status}");
    }
    for field in [
        ("content-encoding", "br"),
        ("cache-control", "public, no-transform"),
        ("content-range", "bytes 0-1/2"),
        ("content-digest", "sha-256=:x:"),
        ("content-md5", "x"),
    ] {
        let head = [JSON, field];
        assert_eq!(
            decided(200, &head, None),
            (None, fields(&head)),
            "{field:?}"
        );
    }
    assert_eq!(decided(200, &[JSON], Some(1023)), (None, fields(&[JSON])));
    assert_eq!(decided(200, &[], None).0, None);
}

#[test]
fn an_answer_that_another_client_could_get_compressed_says_so() {
    for (method, request) in [
        (Method::GET, fields(&[])),
        (Method::HEAD, fields(&[("accept-encoding", "gzip")])),
        (
            Method::GET,
            fields(&[
                ("accept-encoding", "gzip"),
                ("cache-control", "no-transform"),
            ]),
        ),
    ] {
        let mut headers = fields(&[JSON, ("content-length", "5000")]);
        let wanted = wanted(&method, &request, &BOTH);
        assert_eq!(
            decide(wanted, StatusCode::OK, &mut headers, Some(5000)),
            None
        );
        assert_eq!(
            headers,
            fields(&[
                JSON,
                ("content-length", "5000"),
                ("vary", "Accept-Encoding")
            ])
        );
    }
}
