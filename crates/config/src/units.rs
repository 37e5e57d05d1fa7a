//! Durations and sizes: "1m30s", "10 MiB". Read and printed.

use std::time::Duration;

/// The longest duration that can be written: ten years of 365 days.
pub const DURATION_MAX: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What a duration may look like.
pub const DURATION: &str = r#"a duration such as "500ms", "29s", "1m30s", "15m" or "24h""#;

/// What a size may look like.
pub const SIZE: &str = r#"a size such as "64 KiB", "10 MiB", "1 GiB" or a number of bytes"#;

const DURATION_UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];

/// Why a text is not a duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// A number without a unit.
    #[error("a unit is missing")]
    NoUnit,
    /// A unit nobody knows.
    #[error("'{0}' is not a unit; known are {1}")]
    Unit(String, &'static str),
    /// Units twice or not from large to small.
    #[error("units go from large to small, each once")]
    Order,
    /// Above what can be meant.
    #[error("it is too large")]
    TooLarge,
    /// None of the above.
    #[error("it is no number with a unit")]
    Unreadable,
}

/// A duration: whole numbers with the units d, h, m, s, ms from large to small, without spaces. At
/// most [`DURATION_MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    let mut allowed = &DURATION_UNITS[..];
    if rest.is_empty() {
        return Err(UnitError::Unreadable);
    }
    while !rest.is_empty() {
        let (number, after) = split_number(rest)?;
        let length = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(length);
        if unit.is_empty() {
            return Err(if after.is_empty() {
                UnitError::NoUnit
            } else {
                UnitError::Unreadable
            });
        }
        let place = allowed
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or_else(|| {
                if DURATION_UNITS.iter().any(|(name, _)| *name == unit) {
                    UnitError::Order
                } else {
                    UnitError::Unit(shortened(unit), "ms, s, m, h, d")
                }
            })?;
        let part = number
            .checked_mul(allowed[place].1)
            .ok_or(UnitError::TooLarge)?;
        millis = millis.checked_add(part).ok_or(UnitError::TooLarge)?;
        allowed = &allowed[place + 1..];
        rest = next;
    }
    let duration = Duration::from_millis(millis);
    if duration > DURATION_MAX {
        Err(UnitError::TooLarge)
    } else {
        Ok(duration)
    }
}

/// A size in bytes: a whole number with one of the units B, KiB, MiB, GiB, TiB (powers of 1024),
/// KB, MB, GB, TB (powers of 1000) in any case, or without a unit. At most `i64::MAX` bytes.
pub fn parse_size(text: &str) -> Result<u64, UnitError> {
    let (number, after) = split_number(text.trim())?;
    let unit = after.trim_start();
    let factor = if unit.is_empty() {
        1
    } else {
        SIZE_UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or_else(|| {
                UnitError::Unit(shortened(unit), "B, KiB, MiB, GiB, TiB, KB, MB, GB, TB")
            })?
            .1
    };
    number
        .checked_mul(factor)
        .filter(|bytes| *bytes <= SIZE_MAX)
        .ok_or(UnitError::TooLarge)
}

/// The largest size that can be written, in bytes: it fits signed columns and headers everywhere.
pub const SIZE_MAX: u64 = i64::MAX as u64;

fn split_number(text: &str) -> Result<(u64, &str), UnitError> {
    let length = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    if length == 0 {
        return Err(UnitError::Unreadable);
    }
    let (digits, rest) = text.split_at(length);
    digits
        .parse()
        .map(|number| (number, rest))
        .map_err(|_| UnitError::TooLarge)
}

fn shortened(text: &str) -> String {
    text.chars().take(16).collect()
}

/// A duration as it would be written: `1m30s`. Less than a millisecond is dropped.
pub fn show_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    // Days are not printed up to two of them: everybody writes and reads "24h" and "48h".
    let units = if millis > 2 * 86_400_000 {
        &DURATION_UNITS[..]
    } else {
        &DURATION_UNITS[1..]
    };
    let mut text = String::new();
    for (unit, length) in units {
        if millis >= *length {
            text.push_str(&format!("{}{unit}", millis / length));
            millis %= length;
        }
    }
    text
}

/// A size as it would be written: in the largest unit of powers of 1024 that divides it.
pub fn show_size(bytes: u64) -> String {
    SIZE_UNITS
        .iter()
        .filter(|(unit, _)| unit.contains('i') || *unit == "B")
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(
            || "0 B".to_owned(),
            |(unit, factor)| format!("{} {unit}", bytes / factor),
        )
}
