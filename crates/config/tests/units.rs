//! Durations and sizes, read and printed.

use std::time::Duration;

use proptest::prelude::*;
use raincheck_config::units::{
    DURATION_MAX, SIZE_MAX, UnitError, parse_duration, parse_size, show_duration, show_size,
};

#[test]
fn durations() {
    let of = |text| parse_duration(text).map(|time: Duration| time.as_millis());
    assert_eq!(of("500ms"), Ok(500));
    assert_eq!(of("29s"), Ok(29_000));
    assert_eq!(of("1m30s"), Ok(90_000));
    assert_eq!(of("15m"), Ok(900_000));
    assert_eq!(of("24h"), Ok(86_400_000));
    assert_eq!(of(" 1d2h3m4s5ms "), Ok(93_784_005));
    assert_eq!(of("0s"), Ok(0));
    assert_eq!(of("90s"), Ok(90_000));
    assert_eq!(of("25"), Err(UnitError::NoUnit));
    assert_eq!(of("1m30"), Err(UnitError::NoUnit));
    assert_eq!(of("30s1m"), Err(UnitError::Order));
    assert_eq!(of("1s1s"), Err(UnitError::Order));
    assert!(matches!(of("3 s"), Err(UnitError::Unreadable)));
    assert!(matches!(of("3sec"), Err(UnitError::Unit(unit, _)) if unit == "sec"));
    for text in ["", "s", "-1s", "1.5s", "1\u{a0}s", "é"] {
        assert_eq!(of(text), Err(UnitError::Unreadable), "{text}");
    }
    for text in ["3651d", "99999999999999999999s", "18446744073709551615d"] {
        assert_eq!(of(text), Err(UnitError::TooLarge), "{text}");
    }
    assert_eq!(parse_duration("3650d"), Ok(DURATION_MAX));
}

#[test]
fn sizes() {
    let of = parse_size;
    assert_eq!(of("10 MiB"), Ok(10 << 20));
    assert_eq!(of("1GiB"), Ok(1 << 30));
    assert_eq!(of("64 kib"), Ok(64 << 10));
    assert_eq!(of("1 MB"), Ok(1_000_000));
    assert_eq!(of("512 B"), Ok(512));
    assert_eq!(of("4096"), Ok(4096));
    assert_eq!(of("0"), Ok(0));
    assert!(matches!(of("1 M"), Err(UnitError::Unit(unit, _)) if unit == "M"));
    assert_eq!(of("MiB"), Err(UnitError::Unreadable));
    assert_eq!(of("-1"), Err(UnitError::Unreadable));
    assert_eq!(of("16777216 TiB"), Err(UnitError::TooLarge));
    assert_eq!(of("9223372036854775808"), Err(UnitError::TooLarge));
    assert_eq!(of("9223372036854775807"), Ok(SIZE_MAX));
}

#[test]
fn printed_as_people_write_them() {
    let of = |millis| show_duration(Duration::from_millis(millis));
    assert_eq!(of(0), "0s");
    assert_eq!(of(90_000), "1m30s");
    assert_eq!(of(86_400_000), "24h");
    assert_eq!(of(7 * 86_400_000), "7d");
    assert_eq!(of(1_500), "1s500ms");
    assert_eq!(show_size(0), "0 B");
    assert_eq!(show_size(1000), "1000 B");
    assert_eq!(show_size(65_536), "64 KiB");
}

proptest! {
    #[test]
    fn what_is_printed_is_read_back(millis in 0..=315_360_000_000u64, bytes in 0..=SIZE_MAX) {
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(parse_duration(&show_duration(duration)), Ok(duration));
        prop_assert_eq!(parse_size(&show_size(bytes)), Ok(bytes));
    }

    #[test]
    fn no_text_panics(text in ".*") {
        let _ = parse_duration(&text);
        let _ = parse_size(&text);
    }
}
