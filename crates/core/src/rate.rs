//! How often something may happen: a number of times in a span of time.

use std::str::FromStr;
use std::time::Duration;

/// So many in so much time; all of them may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many; at least one.
    pub count: u32,
    /// In which time; one second, minute or hour.
    pub per: Duration,
}

/// A text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not a number of requests per s, m or h")]
pub struct RateError;

impl FromStr for Rate {
    type Err = RateError;

    /// As in `100/s`, `600/m`, `5000/h`.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let (count, unit) = text.split_once('/').ok_or(RateError)?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(RateError),
        };
        let count = count.trim();
        let plain = count.bytes().all(|byte| byte.is_ascii_digit());
        match count.parse() {
            Ok(count) if plain && count > 0 => Ok(Self {
                count,
                per: Duration::from_secs(seconds),
            }),
            _ => Err(RateError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_unit() {
        let rate = |count, seconds| {
            Ok(Rate {
                count,
                per: Duration::from_secs(seconds),
            })
        };
        assert_eq!("100/s".parse(), rate(100, 1));
        assert_eq!("600 / m".parse(), rate(600, 60));
        assert_eq!("5000/h".parse(), rate(5000, 3600));
        for wrong in [
            "",
            "100",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1/d",
            "1.5/s",
            "99999999999/s",
        ] {
            assert_eq!(wrong.parse::<Rate>(), Err(RateError), "{wrong}");
        }
    }
}
