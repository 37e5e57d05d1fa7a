//! `Prefer` as RFC 7240 has it, and what this gateway makes of it.

use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use raincheck_core::prefer::{Prefer, wait_seconds};

fn read(fields: &[&[u8]]) -> Prefer {
    let mut headers = HeaderMap::new();
    for field in fields {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            headers.append("prefer", value);
        }
    }
    assert_eq!(headers.len(), fields.len(), "a field that cannot be sent");
    Prefer::from_headers(&headers)
}

fn prefer(respond_async: bool, wait: Option<u64>) -> Prefer {
    Prefer {
        page: false,
        keepalive: false,
        respond_async,
        wait: wait.map(Duration::from_secs),
    }
}

const NOTHING: Prefer = Prefer {
    page: false,
    keepalive: false,
    respond_async: false,
    wait: None,
};

#[test]
fn no_field_prefers_nothing() {
    assert_eq!(read(&[]), NOTHING);
    assert_eq!(read(&[b""]), NOTHING);
    assert_eq!(read(&[b" , ,, ; = "]), NOTHING);
}

#[test]
fn the_examples_of_the_rfc_are_understood() {
    let both = prefer(true, Some(10));
    assert_eq!(read(&[b"respond-async, wait=10"]), both);
    assert_eq!(read(&[b"respond-async", b"wait=10"]), both);
    assert_eq!(read(&[b"respond-async, wait=10, handling=lenient"]), both);
    let priority = read(&[b"respond-async, wait=100, priority=5"]);
    assert_eq!(priority, prefer(true, Some(100)));
    assert_eq!(read(&[b"return=minimal"]), NOTHING);
    assert_eq!(read(&[b"foo; bar"]), NOTHING);
    assert_eq!(read(&[b"foo; bar=\"\""]), NOTHING);
    assert_eq!(read(&[b"foo=\"\"; bar"]), NOTHING);
}

#[test]
fn names_have_no_case_and_blanks_mean_nothing() {
    let both = prefer(true, Some(10));
    assert_eq!(read(&[b"Respond-ASYNC , WAIT = 10"]), both);
    assert_eq!(read(&[b"\twait\t=\t10\t;\tx\t,\trespond-async\t"]), both);
}

#[test]
fn an_empty_value_is_no_value() {
    assert!(read(&[b"respond-async=\"\""]).respond_async);
    assert!(read(&[b"respond-async="]).respond_async);
    assert!(!read(&[b"respond-async=no"]).respond_async, "unknown");
    assert_eq!(read(&[b"wait"]), NOTHING);
    assert_eq!(read(&[b"wait="]), NOTHING);
    assert_eq!(read(&[b"wait=\"\""]), NOTHING);
}

#[test]
fn a_value_may_be_quoted() {
    assert_eq!(read(&[b"wait=\"10\""]), prefer(false, Some(10)));
    assert_eq!(read(&[b"wait=\"10"]), NOTHING);
    assert_eq!(read(&[b"wait=10=3"]), NOTHING);
    assert_eq!(read(&[b"wait=\"\"10\"\""]), NOTHING);
}

#[test]
fn what_is_quoted_is_not_a_preference() {
    assert_eq!(read(&[b"note=\"a, respond-async\""]), NOTHING);
    assert_eq!(read(&[b"note=\"a; x\"; y=\"b, wait=5\""]), NOTHING);
    assert_eq!(read(&[b"note=\"\\\", wait=5\""]), NOTHING);
    let after = read(&[b"note=\"a, \\\"wait=5\", respond-async"]);
    assert_eq!(after, prefer(true, None));
    let escaped = read(&[b"note=\"ends in \\\\\", respond-async"]);
    assert_eq!(escaped, prefer(true, None));
    assert_eq!(read(&[b"note=\"open", b"wait=5"]), prefer(false, Some(5)));
}

#[test]
fn parameters_are_not_preferences() {
    assert_eq!(read(&[b"foo; respond-async; wait=5"]), NOTHING);
    let with = read(&[b"respond-async; x=1; wait=3, wait=7; y"]);
    assert_eq!(with, prefer(true, Some(7)));
}

#[test]
fn the_first_instance_counts() {
    assert_eq!(read(&[b"wait=1, wait=2"]), prefer(false, Some(1)));
    assert_eq!(read(&[b"wait=1", b"WAIT=2"]), prefer(false, Some(1)));
    assert_eq!(
        read(&[b"wait=soon, wait=2"]),
        NOTHING,
        "malformed, but first"
    );
}

#[test]
fn one_strange_preference_does_not_spoil_the_others() {
    let strange = read(&[b"x=\"\xff\xfe\", respond-async, wait=3"]);
    assert_eq!(strange, prefer(true, Some(3)));
    assert_eq!(read(&[b"\xff, wait=3"]), prefer(false, Some(3)));
    assert_eq!(read(&[b"wait=\xff"]), NOTHING);
}

#[test]
fn a_wait_is_whole_seconds() {
    assert_eq!(wait_seconds("0"), Some(Duration::ZERO));
    assert_eq!(wait_seconds("007"), Some(Duration::from_secs(7)));
    for text in ["", " 5", "5 ", "+5", "-5", "5.0", "5s", "0x5", "٥"] {
        assert_eq!(wait_seconds(text), None, "{text:?}");
    }
    let century = Duration::from_secs(100 * 365 * 86_400);
    let for_ever = wait_seconds("99999999999999999999999999");
    assert!(for_ever > Some(century), "more than fits is for ever");
    assert!(wait_seconds("18446744073709551615") > Some(century));
}
