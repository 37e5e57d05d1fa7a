//! Keys as clients send them, and what makes two requests the same.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;
use raincheck_core::head::RequestHead;
use raincheck_core::id::RouteName;
use raincheck_core::key::{BadKey, BodyDigest, Claim, Claimant, ClaimedBy, idempotency_key};
use raincheck_core::route::Duplicates;

fn headers(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        let value = HeaderValue::from_bytes(value).unwrap();
        headers.append("idempotency-key", value);
    }
    headers
}

fn key(value: &[u8]) -> Result<Option<Vec<u8>>, BadKey> {
    let headers = headers(&[value]);
    Ok(idempotency_key(&headers)?.map(|key| key.to_vec()))
}

#[test]
fn quoted_and_bare_keys_are_one() {
    for value in [
        &b"8e03978e-40d5-43e8-bc93-6894a57f9324"[..],
        b"  8e03978e-40d5-43e8-bc93-6894a57f9324 ",
        b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\"",
        b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\";a=1;b",
        b"\"8e03978e-40d5-43e8-bc93-6894a57f9324\"; a=\"x;y\";b=?1;*c=:aGk=:",
    ] {
        let found = key(value).unwrap().unwrap();
        assert_eq!(found, b"8e03978e-40d5-43e8-bc93-6894a57f9324");
    }
    assert_eq!(key(br#""a\"b\\c""#).unwrap().unwrap(), br#"a"b\c"#);
    // A bare key is all of its field.
    assert_eq!(key(b"a b;d=\"e\"").unwrap().unwrap(), b"a b;d=\"e\"");
    assert_eq!(key(b"\"a, b\"").unwrap().unwrap(), b"a, b");
    assert_eq!(idempotency_key(&HeaderMap::new()), Ok(None));
}

#[test]
fn what_is_no_key_is_told_so() {
    assert_eq!(key(b""), Err(BadKey::Empty));
    assert_eq!(key(b"   "), Err(BadKey::Empty));
    assert_eq!(key(b"\"\""), Err(BadKey::Empty));
    assert_eq!(key(b"a\tb"), Err(BadKey::Control));
    assert_eq!(key(b"\ta"), Err(BadKey::Control));
    for value in [
        &b"\""[..],
        b"\"a",
        b"\"a\"b",
        b"\"a\\\"",
        b"\"a\\b\"",
        b"\"a\", \"b\"",
        b"\"a\" ; b",
        b"\"a\";",
        b"\"a\";B",
        b"\"a\";=1",
        b"\"a\";b=",
        b"\"a\";b=\"c",
        b"\"a\";b=1 2",
    ] {
        assert_eq!(key(value), Err(BadKey::Quotes), "{value:?}");
    }
    for joined in [&b"a, b"[..], b"a,b", b","] {
        assert_eq!(key(joined), Err(BadKey::Several), "{joined:?}");
    }
    let twice = headers(&[b"a", b"a"]);
    assert_eq!(idempotency_key(&twice), Err(BadKey::Several));
}

/// The quotes do not count, and of text its characters do and not its bytes.
#[test]
fn a_key_may_have_255_characters() {
    let long = "é".repeat(255);
    for text in ["x".repeat(255), long.clone(), format!("\"{long}\"")] {
        assert!(key(text.as_bytes()).is_ok());
    }
    let longer = long + "x";
    for text in [longer.clone(), format!("\"{longer}\"")] {
        assert_eq!(key(text.as_bytes()), Err(BadKey::Long(256)));
    }
    assert_eq!(key(&[0xff; 256]), Err(BadKey::Long(256)));
}

proptest! {
    #[test]
    fn no_value_makes_the_reader_panic(value: Vec<u8>) {
        if let Ok(value) = HeaderValue::from_bytes(&value) {
            _ = key(value.as_bytes());
        }
    }

    /// A structured-field string comes back as it was meant.
    #[test]
    fn a_quoted_key_is_what_was_quoted(text in "[ -~]{1,255}") {
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!("\"{quoted}\"");
        prop_assert_eq!(key(value.as_bytes()), Ok(Some(text.into_bytes())));
    }
}

/// A request, as the parts that tell requests and callers apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    route: &'static str,
    method: Method,
    target: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    body: Vec<u8>,
    key: Option<&'static [u8]>,
}

fn asked() -> Asked {
    Asked {
        route: "render",
        method: Method::POST,
        target: "/render?size=1",
        fields: vec![
            ("host", "a.example"),
            ("authorization", "Bearer 1"),
            ("content-type", "text/plain"),
            ("user-agent", "curl"),
        ],
        body: b"question".to_vec(),
        key: Some(b"key"),
    }
}

impl Asked {
    fn with(&self, name: &'static str, value: &'static str) -> Self {
        let mut other = self.clone();
        other.fields.retain(|(own, _)| *own != name);
        other.fields.push((name, value));
        other
    }

    fn claim(&self) -> Claim {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.fields {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let head = RequestHead {
            method: self.method.clone(),
            target: self.target.parse().unwrap(),
            headers,
        };
        let route: RouteName = self.route.parse().unwrap();
        let mut body = BodyDigest::default();
        // However it comes in pieces.
        self.body.chunks(3).for_each(|piece| body.update(piece));
        let claimant = Claimant {
            route: &route,
            head: &head,
            caller: &Duplicates::default().caller,
            fields: &[HeaderName::from_static("content-type")],
        };
        claimant.claim(self.key, body)
    }
}

#[test]
fn the_same_request_claims_the_same() {
    for key in [Some(&b"key"[..]), None] {
        let first = Asked { key, ..asked() };
        let claim = first.claim();
        assert_eq!(claim, first.claim());
        assert_eq!(claim, first.with("user-agent", "wget").claim());
        assert_eq!(claim, first.with("host", "A.example").claim());
        assert_eq!(claim, first.with("host", "a.example:8080").claim());
        let six = first.with("host", "[::1]").claim();
        assert_eq!(six, first.with("host", "[::1]:80").claim());
        assert_ne!(six, first.with("host", "[::2]:80").claim());
        assert_eq!(
            claim.by,
            match key {
                Some(_) => ClaimedBy::Key,
                None => ClaimedBy::Fingerprint,
            }
        );
    }
}

#[test]
fn another_question_under_the_same_key_has_another_fingerprint() {
    let first = asked();
    let claim = first.claim();
    for other in [
        Asked {
            method: Method::PUT,
            ..first.clone()
        },
        Asked {
            target: "/render?size=2",
            ..first.clone()
        },
        Asked {
            target: "/render/?size=1",
            ..first.clone()
        },
        Asked {
            body: b"question ".to_vec(),
            ..first.clone()
        },
        first.with("content-type", "text/html"),
    ] {
        let found = other.claim();
        assert_eq!(found.digest, claim.digest, "{other:?}");
        assert_ne!(found.fingerprint, claim.fingerprint, "{other:?}");
        // Without a key it is another request altogether.
        let unkeyed = |asked: &Asked| Asked {
            key: None,
            ..asked.clone()
        };
        let (one, two) = (unkeyed(&first).claim(), unkeyed(&other).claim());
        assert_ne!(one.digest, two.digest, "{other:?}");
    }
}

#[test]
fn callers_routes_and_hosts_have_keys_of_their_own() {
    let first = asked();
    let mut seen = BTreeMap::from([(first.claim().digest, first.clone())]);
    for other in [
        Asked {
            route: "other",
            ..first.clone()
        },
        Asked {
            key: Some(b"Key"),
            ..first.clone()
        },
        Asked {
            key: None,
            ..first.clone()
        },
        first.with("authorization", "Bearer 2"),
        first.with("host", "b.example"),
        first.with("cookie", "id=1"),
        first.with("x-api-key", "1"),
        // What stands in one field is not what stands in another.
        Asked {
            fields: vec![("host", "a.example"), ("x-api-key", "Bearer 1")],
            ..first.clone()
        },
        Asked {
            fields: vec![("host", "a.example"), ("cookie", "Bearer 1")],
            ..first.clone()
        },
        Asked {
            fields: vec![("host", "a.example")],
            ..first.clone()
        },
    ] {
        let known = seen.insert(other.claim().digest, other.clone());
        assert_eq!(known, None, "{other:?}");
    }
}
