//! What an upstream gets to see of a client's request head.

use http::Request;
use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::time::Timestamp;

use super::*;
use crate::server::Address;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }
}

impl Entropy for Fixed {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0xab);
    }
}

const PEER: &str = "203.0.113.7:4000";

fn forward_as(
    peer: &str,
    trusted: &str,
    request: http::request::Builder,
) -> Result<RequestHead, Problem> {
    let forwarder = Forwarder::new(trust(trusted), Arc::new(Fixed));
    let peer = Peer::new(address(peer), address("127.0.0.1:8080"), 1);
    let (parts, ()) = request.body(()).unwrap().into_parts();
    forwarder.request_head(parts, &peer)
}

/// A network, or "unix".
fn trust(text: &str) -> Trusted {
    Trusted {
        networks: text.parse().into_iter().collect(),
        unix: text == "unix",
    }
}

fn address(text: &str) -> Address {
    text.parse().map_or(Address::Unix(None), Address::Tcp)
}

fn lines(head: &RequestHead) -> Vec<String> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()))
    };
    head.headers.iter().map(line).collect()
}

/// The lines an untrusted client's fields become, without the trace.
fn forward(fields: &[(&str, &str)]) -> Vec<String> {
    let mut request = Request::get("/x").header("host", "Shop.example");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let mut lines = lines(&forward_as(PEER, "10.0.0.0/8", request).unwrap());
    assert!(lines.pop().unwrap().starts_with("traceparent: 00-"));
    lines
}

const OURS: [&str; 6] = [
    "via: 1.1 raincheck-abababababab",
    "forwarded: for=203.0.113.7;host=Shop.example;proto=http",
    "x-forwarded-for: 203.0.113.7",
    "x-forwarded-proto: http",
    "x-forwarded-host: Shop.example",
    "x-forwarded-port: 80",
];

#[test]
fn others_stay_in_order_and_ours_follow() {
    let fields = [("b", "1"), ("a", "2"), ("b", "3"), ("cookie", "x=1")];
    let mut wanted = vec!["host: Shop.example", "b: 1", "b: 3", "a: 2", "cookie: x=1"];
    wanted.extend(OURS);
    assert_eq!(forward(&fields), wanted);
}

#[test]
fn fields_of_one_hop_framing_and_forgeries_go() {
    let fields = [
        ("a", "1"),
        ("connection", "keep-alive, X-Mine"),
        ("x-mine", "1"),
        ("keep-alive", "timeout=5"),
        ("te", "trailers"),
        ("upgrade", "h2c"),
        ("transfer-encoding", "chunked"),
        ("content-length", "5"),
        ("expect", "100-continue"),
        ("raincheck-job-id", "forged"),
        ("raincheck_attempt", "forged"),
        ("content_length", "5"),
        ("transfer_encoding", "chunked"),
        ("x_forwarded_for", "forged"),
        ("via_", "harmless"),
        ("x-real-ip", "forged"),
        ("x-forwarded-for", "forged"),
        ("x-forwarded-prefix", "forged"),
        ("forwarded", "for=forged"),
        ("z", "1"),
    ];
    let mut wanted = vec!["host: Shop.example", "a: 1", "via_: harmless", "z: 1"];
    wanted.extend(OURS);
    wanted.extend(["te: trailers", "connection: te"]);
    assert_eq!(forward(&fields), wanted);
}

#[test]
fn who_takes_trailers_is_told_upstream_and_nothing_else_of_te() {
    for (value, taken) in [
        ("trailers", true),
        ("deflate;q=0.5, Trailers", true),
        ("gzip", false),
        ("", false),
    ] {
        let lines = forward(&[("te", value)]);
        let found: Vec<_> = lines
            .iter()
            .filter(|line| line.starts_with("te:") || line.starts_with("connection:"))
            .collect();
        let wanted: &[&str] = if taken {
            &["te: trailers", "connection: te"]
        } else {
            &[]
        };
        assert_eq!(found, wanted, "{value}");
    }
}

#[test]
fn a_trusted_proxy_is_continued_in_the_language_it_speaks() {
    let trusted = |fields: &[(&str, &str)]| {
        let mut request = Request::get("/x").header("host", "in.example:8080");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let head = forward_as("[::ffff:10.1.2.3]:4000", "10.0.0.0/8", request).unwrap();
        let mut lines = lines(&head);
        lines.retain(|line| line.starts_with("x-") || line.starts_with("forwarded"));
        lines
    };
    assert_eq!(
        trusted(&[
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-proto", "https"),
        ]),
        [
            "x-forwarded-for: 203.0.113.7, 192.0.2.1, 10.1.2.3",
            "x-forwarded-proto: https",
            "x-forwarded-host: in.example:8080",
            "x-forwarded-port: 8080",
        ]
    );
    assert_eq!(
        trusted(&[("forwarded", "for=203.0.113.7;proto=https")]),
        ["forwarded: for=203.0.113.7;proto=https, \
          for=10.1.2.3;host=\"in.example:8080\";proto=http"]
    );
    assert_eq!(trusted(&[]).len(), 5);
}

#[test]
fn a_request_that_comes_back_is_a_loop() {
    let via = |value: &str| {
        let request = Request::get("/").header("host", "a").header("via", value);
        forward_as(PEER, "10.0.0.0/8", request).map_err(|problem| problem.code)
    };
    assert_eq!(
        via("1.0 fred, 1.1 raincheck-abababababab"),
        Err(ProblemCode::LoopDetected)
    );
    let head = via("1.1 raincheck-000000000000").unwrap();
    assert_eq!(head.headers.get_all("via").iter().count(), 2);
}

#[test]
fn the_target_goes_on_byte_for_byte() {
    let target = |uri: &str| {
        let request = Request::get(uri).header("host", "a");
        forward_as(PEER, "10.0.0.0/8", request)
            .unwrap()
            .target
            .to_string()
    };
    for same in [
        "/a%2Fb//%7E?x=%20+&&=;%zz?&y",
        "/",
        "*",
        "/a/../b",
        "/?",
        "/\u{e9}",
    ] {
        assert_eq!(target(same), same);
    }
    assert_eq!(target("http://a/x?y"), "/x?y");
    assert_eq!(target("http://a?y"), "/?y");
    assert_eq!(target("http://a"), "/");
}

#[test]
fn http2_gets_a_host_and_whole_cookies() {
    let request = Request::get("http://a.example:81/x")
        .version(Version::HTTP_2)
        .header("cookie", "a=1")
        .header("x", "1")
        .header("cookie", "b=2");
    let head = forward_as("[2001:db8::1]:4000", "10.0.0.0/8", request).unwrap();
    let lines = lines(&head);
    assert_eq!(
        lines[..6],
        [
            "host: a.example:81",
            "cookie: a=1; b=2",
            "x: 1",
            "via: 2 raincheck-abababababab",
            "forwarded: for=\"[2001:db8::1]\";host=\"a.example:81\";proto=http",
            "x-forwarded-for: 2001:db8::1",
        ]
    );
}

#[test]
fn traces_are_continued_or_begun() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let trace = |parents: &[&str]| {
        let mut request = Request::get("/")
            .header("host", "a")
            .header("tracestate", "a=1");
        for parent in parents {
            request = request.header("traceparent", *parent);
        }
        let head = forward_as(PEER, "10.0.0.0/8", request).unwrap();
        let parents: Vec<_> = head
            .headers
            .get_all("traceparent")
            .iter()
            .cloned()
            .collect();
        assert_eq!(parents.len(), 1);
        (parents[0].clone(), head.headers.contains_key("tracestate"))
    };
    assert_eq!(trace(&[PARENT]), (HeaderValue::from_static(PARENT), true));
    for bad in [&[][..], &["00-nonsense"], &[PARENT, PARENT]] {
        let (parent, state) = trace(bad);
        assert_eq!(
            parent.to_str().unwrap(),
            format!("00-{}-{}-01", "ab".repeat(16), "ab".repeat(8))
        );
        assert!(!state);
    }
}

#[test]
fn each_request_of_a_connection_has_its_own_host() {
    let forwarder = Forwarder::new(trust("10.0.0.0/8"), Arc::new(Fixed));
    let peer = Peer::new(address(PEER), address("127.0.0.1:8080"), 1);
    for host in ["a.example", "b.example:8443", "a.example"] {
        let request = Request::get("/").header("host", host).body(()).unwrap();
        let head = forwarder
            .request_head(request.into_parts().0, &peer)
            .unwrap();
        let value = |name| head.headers.get(name).unwrap().to_str().unwrap();
        assert_eq!(value("x-forwarded-host"), host);
        let port = host.split_once(':').map_or("80", |(_, port)| port);
        assert_eq!(value("x-forwarded-port"), port);
        assert!(value("forwarded").contains(host), "{}", value("forwarded"));
    }
}
