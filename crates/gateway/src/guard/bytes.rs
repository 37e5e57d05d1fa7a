//! Which bytes may stand where.

/// A set of bytes.
type Set = [bool; 256];

/// Bytes of a method and of a field name (RFC 9110 section 5.6.2, `token`).
const TOKEN: Set = {
    let mut set = letters_and_digits();
    add(&mut set, b"!#$%&'*+-.^_`|~");
    set
};

/// Bytes of a request target that go on as they are: what URIs may hold, and the few others that
/// clients send all the same. Never `#`, as a fragment is none of a server's business and would be
/// cut off on the way.
const TARGET: Set = {
    let mut set = letters_and_digits();
    add(&mut set, b"!$%&'()*+,-./:;=?@[\\]^_{|}~");
    let mut byte = 0x80;
    while byte < 0x100 {
        set[byte] = true;
        byte += 1;
    }
    set
};

const fn letters_and_digits() -> Set {
    let mut set = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        set[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    set
}

const fn add(set: &mut Set, bytes: &[u8]) {
    let mut index = 0;
    while index < bytes.len() {
        set[bytes[index] as usize] = true;
        index += 1;
    }
}

/// How many of the first bytes belong to a token.
pub(crate) fn token_len(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| !is_token_byte(*byte));
    end.unwrap_or(bytes.len())
}

/// Whether a token may hold this byte.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

/// Whether all bytes may stand in a request target.
pub(crate) fn is_target(bytes: &[u8]) -> bool {
    let valid = bytes.iter().all(|byte| TARGET[usize::from(*byte)]);
    valid && (bytes.is_ascii() || std::str::from_utf8(bytes).is_ok())
}

/// Whether a control character other than a tab is among the bytes. Looks at all of them, as that
/// takes less time than stopping early would save.
pub(crate) fn has_control(bytes: &[u8]) -> bool {
    let control = |byte: u8| ((byte < 0x20) & (byte != b'\t')) | (byte == 0x7f);
    bytes
        .iter()
        .fold(false, |found, byte| found | control(*byte))
}

/// The bytes without spaces and tabs around them.
pub(crate) fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let from = bytes.iter().position(|byte| !blank(byte));
    let to = bytes.iter().rposition(|byte| !blank(byte));
    match (from, to) {
        (Some(from), Some(to)) => bytes.get(from..=to).unwrap_or_default(),
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use http::uri::PathAndQuery;

    use super::*;

    #[test]
    fn whatever_passes_as_a_target_is_one_to_hyper_and_stays_whole() {
        for byte in 0..=255_u8 {
            for target in [
                vec![b'/', byte],
                vec![b'/', b'?', byte],
                vec![b'/', 0xc3, byte],
            ] {
                if is_target(&target) {
                    let parsed = PathAndQuery::try_from(target.as_slice()).unwrap();
                    assert_eq!(parsed.as_str().as_bytes(), target);
                }
            }
        }
        assert!(is_target("/caf\u{e9}?a=%20&b[]={}|^~".as_bytes()));
        assert!(!is_target(b"/a#b"));
        assert!(!is_target(b"/\xff"));
    }

    #[test]
    fn whatever_passes_as_a_name_or_a_value_is_one_to_hyper() {
        use http::{HeaderName, HeaderValue};
        for byte in 0..=255_u8 {
            let name = HeaderName::from_bytes(&[byte]).is_ok();
            assert!(!is_token_byte(byte) || name, "{byte}");
            assert_eq!(
                !has_control(&[b'a', byte]),
                HeaderValue::from_bytes(&[b'a', byte]).is_ok()
            );
        }
    }

    #[test]
    fn only_blanks_around_a_value_are_trimmed() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b" \t"), b"");
        assert_eq!(trim(b"\x0ba"), b"\x0ba");
    }
}
