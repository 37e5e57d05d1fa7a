//! Points in time as whole milliseconds, with arithmetic that saturates instead of panicking.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The latest time that can be written down; also "never".
    pub const MAX: Self = Self(u64::MAX >> 1);

    /// A time from milliseconds since the epoch; later than [`Timestamp::MAX`] becomes it.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// This time plus `duration`, at most [`Timestamp::MAX`].
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Timestamp {
    /// As in RFC 3339, in UTC, with milliseconds: `2026-11-23T08:03:12.123Z`. Every relayed request
    /// carries one, so this does without the machinery of formatting.
    pub fn text(self) -> [u8; 24] {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        let time = jiff::tz::Offset::UTC.to_datetime(time);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text[0..4], time.year());
        digits(&mut text[5..7], time.month().into());
        digits(&mut text[8..10], time.day().into());
        digits(&mut text[11..13], time.hour().into());
        digits(&mut text[14..16], time.minute().into());
        digits(&mut text[17..19], time.second().into());
        digits(&mut text[20..23], time.millisecond());
        text
    }
}

/// Writes a number that is not negative into all of `place`.
fn digits(place: &mut [u8], mut number: i16) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + (number % 10).unsigned_abs() as u8;
        number /= 10;
    }
}

impl fmt::Display for Timestamp {
    /// See [`Timestamp::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}
