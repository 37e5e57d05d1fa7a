//! `Range` on a stored result (RFC 9110 section 14): one byte range, or the whole.

use std::borrow::Cow;

use http::{HeaderMap, Method, Request, header};

/// What of a body is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it.
    Whole,
    /// From the first of these bytes to the last.
    Part {
        /// The first.
        first: u64,
        /// The last, inclusive.
        last: u64,
    },
    /// A range that begins past the end.
    Unsatisfiable,
}

/// What a request asks for: only `GET` can ask for a part (RFC 9110 section 14.2).
pub(super) fn fields<B>(request: &Request<B>) -> Cow<'_, HeaderMap> {
    let mut fields = Cow::Borrowed(request.headers());
    if *request.method() != Method::GET && fields.contains_key(header::RANGE) {
        fields.to_mut().remove(header::RANGE);
    }
    fields
}

/// Reads `Range`, if `If-Range` allows it. More than one range, another unit or bad syntax are
/// answered with the whole, as the RFC permits.
pub(crate) fn wanted(headers: &HeaderMap, len: u64, tag: &str) -> Wanted {
    match asked(headers, tag) {
        Some(range) => parse(range, len),
        None => Wanted::Whole,
    }
}

/// `Range`, if `If-Range` allows it.
fn asked<'a>(headers: &'a HeaderMap, tag: &str) -> Option<&'a str> {
    let mut ranges = headers.get_all(header::RANGE).iter();
    let range = ranges.next()?.to_str().ok()?;
    if ranges.next().is_some() {
        return None;
    }
    let meant = headers
        .get(header::IF_RANGE)
        .is_none_or(|condition| condition.as_bytes() == tag.as_bytes() && !tag.starts_with("W/"));
    meant.then_some(range)
}

/// What of a body is asked for whose length nobody knows yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growing {
    /// All of it.
    Whole,
    /// From the first of these bytes to the last, or as far as it comes.
    From {
        /// The first.
        first: u64,
        /// The last, inclusive; where the range has no end, what RFC 8673 calls a very large value.
        last: u64,
    },
    /// A range that begins where nobody can have been.
    Unsatisfiable,
}

/// The last byte of a range without end, in numbers that every client can hold (RFC 8673 section
/// 2.1).
pub(crate) const VERY_LARGE: u64 = (1 << 53) - 1;

/// The same as [`wanted`] for a body of which `len` bytes are there and more may come. The last
/// bytes of it cannot be named yet: who asks for them gets the whole.
pub(crate) fn growing(headers: &HeaderMap, len: u64, tag: &str) -> Growing {
    let whole = |_| Growing::Whole;
    let Some((first, last)) = asked(headers, tag).and_then(bounds) else {
        return Growing::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), None) if !last.is_empty() => whole(first),
        (Some(first), Some(last)) if first > last => whole(first),
        (Some(first), _) if first > len => Growing::Unsatisfiable,
        (Some(first), last) => Growing::From {
            first,
            last: last.unwrap_or(VERY_LARGE).min(VERY_LARGE).max(first),
        },
        (None, _) => Growing::Whole,
    }
}

/// The first and the last byte as they are written; none: it is not one range of bytes.
fn bounds(range: &str) -> Option<(&str, &str)> {
    let (unit, spec) = range.trim().split_once('=')?;
    let bytes = unit.eq_ignore_ascii_case("bytes");
    spec.trim().split_once('-').filter(|_| bytes)
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

fn parse(range: &str, len: u64) -> Wanted {
    let Some((first, last)) = bounds(range) else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Wanted::Whole,
        (Some(first), _) if !last.is_empty() && number(last).is_none() => {
            _ = first;
            Wanted::Whole
        }
        (Some(first), last) => within(first, last.unwrap_or(u64::MAX), len),
        (None, Some(0)) if first.is_empty() => Wanted::Unsatisfiable,
        (None, Some(suffix)) if first.is_empty() => {
            within(len.saturating_sub(suffix), u64::MAX, len)
        }
        _ => Wanted::Whole,
    }
}

fn within(first: u64, last: u64, len: u64) -> Wanted {
    if first >= len {
        return Wanted::Unsatisfiable;
    }
    Wanted::Part {
        first,
        last: last.min(len - 1),
    }
}

#[cfg(test)]
mod tests {
    //! The cases of RFC 9110, and what is not a range.

    use super::{Wanted, parse};

    #[test]
    fn one_range() {
        assert_eq!(parse("bytes=0-4", 10), Wanted::Part { first: 0, last: 4 });
        assert_eq!(parse("bytes=5-", 10), Wanted::Part { first: 5, last: 9 });
        assert_eq!(parse("bytes=-3", 10), Wanted::Part { first: 7, last: 9 });
        assert_eq!(parse("bytes=-30", 10), Wanted::Part { first: 0, last: 9 });
        assert_eq!(
            parse("bytes=9-99999999999999999999999", 10),
            Wanted::Part { first: 9, last: 9 }
        );
        assert_eq!(parse("BYTES=0-0", 10), Wanted::Part { first: 0, last: 0 });
    }

    #[test]
    fn past_the_end() {
        assert_eq!(parse("bytes=10-", 10), Wanted::Unsatisfiable);
        assert_eq!(
            parse("bytes=99999999999999999999999-", 10),
            Wanted::Unsatisfiable
        );
        assert_eq!(parse("bytes=-0", 10), Wanted::Unsatisfiable);
        assert_eq!(parse("bytes=0-", 0), Wanted::Unsatisfiable);
    }

    #[test]
    fn not_one_range() {
        for text in [
            "bytes=0-1,3-4",
            "bytes=4-3",
            "bytes=a-b",
            "items=0-1",
            "bytes",
            "bytes=-",
            "bytes=1-x",
            "bytes=+1-2",
        ] {
            assert_eq!(parse(text, 10), Wanted::Whole, "{text}");
        }
    }
}
