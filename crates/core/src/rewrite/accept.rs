//! Lists of words with weights, as in `Accept-Encoding` (RFC 9110 section 12.4.2).

use http::HeaderMap;
use http::header::HeaderName;

/// What a list says of a word, in thousandths. A weight that is no weight counts as zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// Of the word itself, where it is named.
    pub own: Option<u16>,
    /// Of `*`, where that is named.
    pub any: Option<u16>,
}

impl Weight {
    /// The weight that holds: its own, else that of all others, else none.
    pub fn or_any(self) -> u16 {
        self.own.or(self.any).unwrap_or(0)
    }
}

/// What a client's list says of a word.
pub fn weight(headers: &HeaderMap, list: &HeaderName, word: &str) -> Weight {
    let mut found = Weight::default();
    for value in headers.get_all(list) {
        for item in value.as_bytes().split(|byte| *byte == b',') {
            let mut parts = item.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
            let name = parts.next().unwrap_or_default();
            let weight = parts.next().map_or(1000, thousandths);
            if name.eq_ignore_ascii_case(word.as_bytes()) {
                found.own.get_or_insert(weight);
            } else if name == b"*" {
                found.any.get_or_insert(weight);
            }
        }
    }
    found
}

/// `q=0.25` in thousandths.
fn thousandths(parameter: &[u8]) -> u16 {
    let value = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="));
    let text = value.and_then(|value| std::str::from_utf8(value).ok());
    match text.map(|text| text.split_once('.').unwrap_or((text, ""))) {
        Some(("1", zeros)) if zeros.len() <= 3 && zeros.bytes().all(|b| b == b'0') => 1000,
        Some(("0", digits)) if digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{digits:0<3}").parse().unwrap_or(0)
        }
        _ => 0,
    }
}
