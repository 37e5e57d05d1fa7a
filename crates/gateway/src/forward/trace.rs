//! W3C trace context: passed on where it is valid, begun where it is not.

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use raincheck_core::ambient::Ambient;

use super::{owned, sift};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Sees to it that the request belongs to a trace. One that begins here is marked as sampled, as
/// backends that follow their caller's choice would record nothing otherwise.
pub(super) fn ensure(headers: &mut HeaderMap, ambient: &dyn Ambient) {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    if let (Some(parent), None) = (parents.next(), parents.next())
        && is_valid(parent.as_bytes())
    {
        return;
    }
    if headers.contains_key(TRACESTATE) {
        // State without its parent says nothing.
        let old = std::mem::take(headers);
        sift(old, headers, |name| *name == TRACESTATE);
    }
    headers.insert(TRACEPARENT, begin(ambient));
}

/// A trace of its own.
fn begin(ambient: &dyn Ambient) -> HeaderValue {
    let mut random = [0; 24];
    ambient.fill(&mut random);
    // All zeros would be invalid; this is what a broken source of chance gets.
    random[15] |= u8::from(random[..16] == [0; 16]);
    random[23] |= u8::from(random[16..] == [0; 8]);
    let (trace, parent) = random.split_at(16);
    let mut value = *b"00-################################-################-01";
    hex(&mut value[3..35], trace);
    hex(&mut value[36..52], parent);
    owned(Bytes::copy_from_slice(&value))
}

/// Writes bytes as digits, two for each.
fn hex(places: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in places.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *pair = [
            DIGITS[usize::from(byte >> 4)],
            DIGITS[usize::from(byte & 15)],
        ];
    }
}

/// Whether this is a `traceparent` of the known version, or begins like one of a later version.
fn is_valid(value: &[u8]) -> bool {
    let hex = |part: Option<&[u8]>| {
        part.is_some_and(|part| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
    };
    let some = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().any(|b| *b != b'0'));
    let (version, trace, parent) = (value.get(..2), value.get(3..35), value.get(36..52));
    let dashes = [2, 35, 52].iter().all(|at| value.get(*at) == Some(&b'-'));
    let end = match version {
        Some(b"00") => value.len() == 55,
        Some(b"ff") => false,
        _ => value.get(55).is_none_or(|byte| *byte == b'-'),
    };
    dashes
        && end
        && hex(version)
        && hex(trace)
        && some(trace)
        && hex(parent)
        && some(parent)
        && hex(value.get(53..55))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_parents_are_passed_on() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(is_valid(good.as_bytes()));
        assert!(is_valid(good.replacen("00", "cc", 1).as_bytes()));
        assert!(is_valid(format!("cc{}-more", &good[2..]).as_bytes()));
        for bad in [
            "",
            "00-nonsense",
            &good.to_uppercase(),
            &good.replacen("00", "ff", 1),
            &format!("{good}-more"),
            &good[..54],
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }
}
