//! Problems: a closed set whose members can be told apart, and documents that any client may print.

use std::collections::BTreeSet;

use proptest::prelude::*;
use raincheck_core::limits::DETAIL_BYTES;
use raincheck_core::outcome::Cause;
use raincheck_core::problem::{Problem, ProblemCode, SideEffects, clean};

fn distinct<T: Ord>(of: impl Fn(ProblemCode) -> T) -> bool {
    let all: BTreeSet<T> = ProblemCode::ALL.into_iter().map(of).collect();
    all.len() == ProblemCode::ALL.len()
}

#[test]
fn codes_can_be_told_apart() {
    assert!(distinct(ProblemCode::number));
    assert!(distinct(ProblemCode::slug));
    assert!(distinct(ProblemCode::title));
    assert!(distinct(ProblemCode::page));
}

#[test]
fn codes_are_found_by_their_number() {
    for (place, code) in ProblemCode::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(code.number()), place + 1, "{code:?}");
        assert_eq!(ProblemCode::from_number(code.number()), Some(code));
    }
    assert_eq!(ProblemCode::from_number(0), None);
    assert_eq!(ProblemCode::from_number(u16::MAX), None);
}

#[test]
fn codes_are_written_as_promised() {
    for code in ProblemCode::ALL {
        let plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(code.slug().chars().all(plain), "{code:?}");
        assert!(!code.title().ends_with('.'), "{code:?}");
        assert!((400..600).contains(&code.status()), "{code:?}");
        assert_eq!(code.page(), format!("RC{:04}", code.number()));
    }
    assert_eq!(
        ProblemCode::UpstreamTimeout.message(),
        "Endpoint request timed out"
    );
    assert_eq!(ProblemCode::QueueFull.message(), "Service Unavailable");
}

#[test]
fn no_code_denies_what_its_cause_may_have_done() {
    for cause in [
        Cause::Broken,
        Cause::Timeout,
        Cause::Deadline,
        Cause::TooLarge,
        Cause::Storage,
        Cause::Cancelled,
        Cause::Drained,
    ] {
        let code = cause.problem();
        assert_eq!(code.side_effects(), SideEffects::Possible, "{code:?}");
    }
    assert_eq!(Cause::Connect.problem().side_effects(), SideEffects::None);
}

#[test]
fn a_document_has_its_members() {
    let problem = Problem::new(ProblemCode::QueueFull, "100 jobs wait");
    let bytes = problem.to_json(Some("/jobs/x"));
    assert_eq!(bytes.last(), Some(&b'\n'));
    let document: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let expected = serde_json::json!({
        "type": "/_raincheck/problems/RC0009",
        "title": "The queue of this route is full",
        "status": 503,
        "detail": "100 jobs wait",
        "instance": "/jobs/x",
        "code": "queue-full",
        "message": "Service Unavailable",
        "retryable": true,
    });
    assert_eq!(document, expected);
    assert_eq!(problem.to_value().get("instance"), None);
}

#[test]
fn no_detail_can_write_a_line_or_turn_one_around() {
    let tricks = "a\r\nb\0c\x1b[31md\u{202e}e\u{2066}f\u{200f}g\u{2028}h\u{61c}i\u{85}j";
    assert_eq!(clean(tricks), "a  b c [31md e f g h i j");
    assert_eq!(
        Problem::new(ProblemCode::Internal, tricks).detail,
        clean(tricks)
    );
    assert_eq!(clean("größer, 大きい, 🦀"), "größer, 大きい, 🦀");
}

proptest! {
    #[test]
    fn a_detail_is_short_and_printable(text in any::<String>(), times in 1..200_usize) {
        let cleaned = clean(&text.repeat(times));
        prop_assert!(cleaned.len() <= DETAIL_BYTES);
        prop_assert!(!cleaned.contains(char::is_control));
        prop_assert_eq!(clean(&cleaned), cleaned.clone(), "once is enough");
        let problem = Problem::new(ProblemCode::Internal, cleaned);
        let json = String::from_utf8(problem.to_json(None)).unwrap();
        prop_assert_eq!(json.lines().count(), 1);
    }
}
