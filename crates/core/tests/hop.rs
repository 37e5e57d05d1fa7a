//! What stays on one hop, what only we may say, and what may come as a trailer.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use raincheck_core::hop::{announce_trailers, is_hop_by_hop, is_own, strip, strip_trailers};

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.append(name, value);
        }
    }
    assert_eq!(headers.len(), fields.len(), "a field that cannot be sent");
    headers
}

fn stripped(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut headers = headers(fields);
    strip(&mut headers);
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.to_string(), text(value));
    headers.iter().map(pair).collect()
}

fn assert_kept(fields: &[(&str, &str)], kept: &[(&str, &str)]) {
    let own = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let kept: Vec<_> = kept.iter().map(own).collect();
    assert_eq!(stripped(fields), kept);
}

#[test]
fn fields_of_one_hop_go() {
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "te",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
        "proxy-authorization",
    ] {
        assert!(is_hop_by_hop(&HeaderName::from_static(name)), "{name}");
        assert_kept(
            &[("a", "1"), (name, "x"), ("b", "2")],
            &[("a", "1"), ("b", "2")],
        );
    }
}

#[test]
fn end_to_end_fields_stay() {
    let fields = [
        ("host", "h"),
        ("authorization", "Basic eDp5"),
        ("trailer", "x-sum"),
        ("via", "1.1 a"),
        ("expect", "100-continue"),
        ("prefer", "wait=5"),
        ("content-length", "3"),
    ];
    assert_kept(&fields, &fields);
}

#[test]
fn what_connection_names_goes() {
    let fields = [
        ("a", "1"),
        ("connection", "close, X-Secret ,, x-other"),
        ("x-secret", "1"),
        ("x-secret", "2"),
        ("b", "2"),
        ("connection", "x-third;q=1,X-FOURTH"),
        ("x-other", "1"),
        ("x-third", "not a name, so it stays"),
        ("x-fourth", "1"),
        ("close", "1"),
    ];
    let kept = [
        ("a", "1"),
        ("b", "2"),
        ("x-third", "not a name, so it stays"),
    ];
    assert_kept(&fields, &kept);
}

#[test]
fn connection_cannot_take_away_what_a_request_needs() {
    let needed = [
        ("host", "h"),
        ("content-length", "3"),
        ("content-type", "a/b"),
    ];
    let mut fields = vec![("connection", "Host, Content-Length, content-type")];
    fields.extend(needed);
    assert_kept(&fields, &needed);
}

#[test]
fn only_we_set_our_own_fields() {
    for name in [
        "raincheck-job-id",
        "raincheck_job_id",
        "raincheck-",
        "raincheck_",
    ] {
        assert!(is_own(&HeaderName::from_static(name)), "{name}");
        assert_kept(&[("a", "1"), (name, "forged")], &[("a", "1")]);
    }
    assert_kept(&[("Raincheck-Attempt", "9")], &[]);
    let others = [
        ("raincheck", "1"),
        ("raincheckx", "2"),
        ("x-raincheck-a", "3"),
    ];
    assert_kept(&others, &others);
}

#[test]
fn order_and_repetition_are_kept() {
    let fields = [
        ("z", "1"),
        ("set-cookie", "a"),
        ("te", "trailers"),
        ("a", "2"),
        ("set-cookie", "b"),
        ("z", "3"),
        ("set-cookie", "a"),
    ];
    let kept = [
        ("z", "1"),
        ("z", "3"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("set-cookie", "a"),
        ("a", "2"),
    ];
    assert_kept(&fields, &kept);
}

const HEAD_ONLY: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
    "raincheck-job-id",
    "raincheck-attempt",
    "raincheck-deadline",
    "raincheck-error",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-anything",
    "x-real-ip",
    "via",
    "host",
    "content-length",
    "trailer",
    "expect",
    "max-forwards",
    "range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "if-range",
    "authorization",
    "www-authenticate",
    "cookie",
    "set-cookie",
    "content-type",
    "content-encoding",
    "content-range",
    "cache-control",
    "pragma",
    "age",
    "expires",
    "vary",
    "date",
    "location",
    "retry-after",
    "prefer",
    "idempotency-key",
];

#[test]
fn a_trailer_is_no_way_around_the_rules_of_a_head() {
    for name in HEAD_ONLY {
        for name in [
            (*name).to_owned(),
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
            name.to_uppercase(),
        ] {
            let mut trailers = headers(&[("x-sum", "1"), (&name, "x"), (&name, "y"), ("b", "2")]);
            strip_trailers(&mut trailers);
            assert_eq!(trailers, headers(&[("x-sum", "1"), ("b", "2")]), "{name}");
        }
    }
    let mut trailers = headers(&[("Raincheck_attempt", "9")]);
    strip_trailers(&mut trailers);
    assert!(trailers.is_empty());
}

#[test]
fn other_trailers_stay_in_their_order() {
    let fields = [
        ("x-sum", "1"),
        ("grpc-status", "0"),
        ("x_sum", "2"),
        ("x-sum", "3"),
        ("etag", "\"a\""),
        ("content-digest", "sha-256=:AA==:"),
        ("server-timing", "a"),
        ("raincheck", "1"),
        ("x-forwarded", "1"),
    ];
    let before = headers(&fields);
    let mut with = headers(&[("te", "trailers")]);
    with.extend(before.clone());
    let mut alone = before.clone();
    for trailers in [&mut with, &mut alone] {
        strip_trailers(trailers);
        let pairs = |map: &HeaderMap| {
            let pair = |(name, value): (&HeaderName, &HeaderValue)| (name.clone(), value.clone());
            map.iter().map(pair).collect::<Vec<_>>()
        };
        assert_eq!(pairs(trailers), pairs(&before));
    }
}

#[test]
fn trailers_are_announced_once() {
    let trailers = headers(&[("x-sum", "1"), ("x-more", "2"), ("x-sum", "3")]);
    for (said, then) in [
        (&[][..], &["x-sum, x-more"][..]),
        (&["x-sum"], &["x-sum", "x-more"]),
        (&["X-More", "a, x-sum"], &["X-More", "a, x-sum"]),
    ] {
        let said: Vec<_> = said.iter().map(|value| ("trailer", *value)).collect();
        let then: Vec<_> = then.iter().map(|value| ("trailer", *value)).collect();
        let mut head = headers(&said);
        announce_trailers(&mut head, &trailers);
        assert_eq!(head, headers(&then));
        let mut head = headers(&said);
        announce_trailers(&mut head, &HeaderMap::new());
        assert_eq!(head, headers(&said));
    }
}

proptest! {
    #[test]
    fn what_stays_stays_as_it_was(
        fields in proptest::collection::vec(
            (prop_oneof!["[a-e]", Just("te".to_owned()), Just("connection".to_owned())], "[a-e, ]{0,5}"),
            0..20,
        ),
    ) {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.trim())).collect();
        let named: Vec<String> = fields
            .iter()
            .filter(|(name, _)| *name == "connection")
            .flat_map(|(_, value)| value.split(','))
            .map(|token| token.trim().to_owned())
            .collect();
        let before = headers(&fields);
        let goes = |name: &str| name == "te" || name == "connection" || named.iter().any(|n| n == name);
        let expected: Vec<(String, String)> = before
            .iter()
            .filter(|(name, _)| !goes(name.as_str()))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        prop_assert_eq!(stripped(&fields), expected);
    }
}
