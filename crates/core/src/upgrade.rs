//! What a request asks to go on with after a `101 Switching Protocols` (RFC 9110 section 7.8).

use http::header::{self, HeaderMap, HeaderValue};

/// The protocols that a request of HTTP/1.1 offers to switch to, in the order of its preference;
/// none: nothing that could be switched to.
///
/// An offer counts only where `Connection` names it, as it is one for this hop. Versions of HTTP
/// and TLS are left out: what follows such a switch is HTTP again, that nobody would check. A
/// server may ignore any offer, and those we always do.
pub fn offered(headers: &HeaderMap) -> Option<HeaderValue> {
    let named = tokens(headers, header::CONNECTION).any(|token| is(token, b"upgrade"));
    if !named {
        return None;
    }
    let mut offered = Vec::new();
    for protocol in tokens(headers, header::UPGRADE).filter(|protocol| !is_http(protocol)) {
        if !offered.is_empty() {
            offered.extend_from_slice(b", ");
        }
        offered.extend_from_slice(protocol);
    }
    match offered.is_empty() {
        true => None,
        false => HeaderValue::from_bytes(&offered).ok(),
    }
}

/// Whether a list of protocols, as [`offered`] gives it or an `Upgrade` field has it, names this one.
/// Compares without regard to case, as RFC 9110 section 7.8 has it since RFC 6455.
pub fn names(protocols: &HeaderValue, protocol: &str) -> bool {
    let mut tokens = protocols.as_bytes().split(|byte| *byte == b',');
    tokens.any(|token| is(token.trim_ascii(), protocol.as_bytes()))
}

/// Whether what follows a switch to this protocol would be HTTP.
fn is_http(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next();
    let name = name.unwrap_or_default();
    [&b"http"[..], b"h2", b"h2c", b"h3", b"tls"]
        .iter()
        .any(|http| is(name, http))
}

fn is(token: &[u8], name: &[u8]) -> bool {
    token.eq_ignore_ascii_case(name)
}

/// The elements of a list field.
fn tokens(headers: &HeaderMap, list: header::HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(list).into_iter();
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|token| !token.is_empty())
}
