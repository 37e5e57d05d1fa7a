//! Names: what is one, what is not, and that order and text are kept.

use proptest::prelude::*;
use raincheck_core::id::{FencingToken, JobId, Revision, RouteName};
use raincheck_core::time::Timestamp;

fn id(millis: u64, random: [u8; 10]) -> JobId {
    JobId::from_parts(Timestamp::from_millis(millis), random)
}

#[test]
fn a_job_id_is_a_uuid_of_version_7() {
    let text = id(0x0123_4567_89ab, [0xff; 10]).to_string();
    assert_eq!(text, "01234567-89ab-7fff-bfff-ffffffffffff");
    assert_eq!(
        id(0, [0; 10]).to_string(),
        "00000000-0000-7000-8000-000000000000"
    );
}

#[test]
fn a_job_has_one_name() {
    let good = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";
    for same in [
        good,
        "01997F6C-7F3A-7CC0-8A6E-0D6F1E5B2A10",
        "01997f6c-7F3A-7cc0-8A6E-0d6f1e5b2a10",
    ] {
        assert_eq!(same.parse::<JobId>().unwrap().to_string(), good, "{same}");
    }
    for bad in [
        "",
        "01997f6c7f3a7cc08a6e0d6f1e5b2a10",
        "{01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10}",
        "urn:uuid:01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10",
        "01997f6c-7f3a-4cc0-8a6e-0d6f1e5b2a10",
        "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a1",
        "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a100",
        "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a1g",
        "01997f6c-7f3a-7cc0-8a6e_0d6f1e5b2a10",
        " 1997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10",
        "0199-7f6c7f3a-7cc0-8a6e-0d6f1e5b2a10",
        "..%2f..%2f..%2f..%2f..%2f..%2f..%2f.",
        "00000000-0000-0000-0000-000000000000",
    ] {
        assert!(bad.parse::<JobId>().is_err(), "{bad}");
    }
}

#[test]
fn a_route_name_is_plain() {
    let longest = "n".repeat(64);
    for good in ["r", "Render-v2", "a.b_c", "0", longest.as_str()] {
        assert_eq!(good.parse::<RouteName>().unwrap().as_str(), good);
    }
    let too_long = "n".repeat(65);
    for bad in ["", " ", "a b", "a/b", "a\"", "é", "a\n", too_long.as_str()] {
        assert!(bad.parse::<RouteName>().is_err(), "{bad:?}");
    }
}

#[test]
fn counters_stop_at_their_end() {
    assert_eq!(Revision(1).next(), Revision(2));
    assert_eq!(Revision(u64::MAX).next(), Revision(u64::MAX));
    assert_eq!(FencingToken(u64::MAX).next(), FencingToken(u64::MAX));
}

proptest! {
    #[test]
    fn a_job_id_is_read_back(millis in 0..1_u64 << 48, random: [u8; 10]) {
        let id = id(millis, random);
        prop_assert_eq!(id.to_string().parse(), Ok(id));
        prop_assert_eq!(JobId::from_bytes(*id.as_bytes()), Some(id));
        prop_assert_eq!(id.to_string().len(), 36);
    }

    #[test]
    fn job_ids_sort_by_age(a in 0..1_u64 << 48, b in 0..1_u64 << 48, x: [u8; 10], y: [u8; 10]) {
        prop_assume!(a != b);
        let (first, second) = (id(a, x), id(b, y));
        prop_assert_eq!(first < second, a < b);
        prop_assert_eq!(first.as_bytes() < second.as_bytes(), a < b);
        prop_assert_eq!(first.to_string() < second.to_string(), a < b);
    }

    #[test]
    fn all_chance_but_six_bits_is_in_the_id(random: [u8; 10], flip in 0..80_usize) {
        let mut other = random;
        other[flip / 8] ^= 1 << (flip % 8);
        let lost = [(0, 4), (0, 5), (0, 6), (0, 7), (2, 6), (2, 7)];
        let same = id(1, random) == id(1, other);
        prop_assert_eq!(same, lost.contains(&(flip / 8, flip % 8)));
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in ".{0,40}") {
        _ = text.parse::<JobId>();
        _ = text.parse::<RouteName>();
    }
}
