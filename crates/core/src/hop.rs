//! Which fields stay on one hop (RFC 9110 section 7.6.1), and which are ours to set.

use http::HeaderMap;
use http::header::{self, HeaderName};

/// Fields that are never forwarded, whether `Connection` names them or not.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// The prefix of fields that only we may set, in both directions.
pub const OWN_PREFIX: &str = "raincheck-";

/// Whether a field belongs to one hop by its name alone.
pub fn is_hop_by_hop(name: &HeaderName) -> bool {
    HOP_BY_HOP.contains(name)
}

/// Whether a field is ours to set: `raincheck-...`, also written with underscores, as some
/// backends read one for the other.
pub fn is_own(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    name.get(..9).is_some_and(|start| start == b"raincheck")
        && matches!(name.get(9), Some(b'-' | b'_'))
}

/// Removes what belongs to one hop, the fields that `Connection` names included, and everything
/// that only we may set. Keeps the order of what stays.
pub fn strip(headers: &mut HeaderMap) {
    let goes = |name: &HeaderName| is_hop_by_hop(name) || is_own(name);
    if !headers.keys().any(goes) {
        return;
    }
    let named = connection_names(headers);
    let old = std::mem::take(headers);
    headers.reserve(old.len());
    let mut last = None;
    for (name, value) in old {
        if let Some(name) = name {
            last = (!goes(&name) && !named.contains(&name)).then_some(name);
        }
        if let Some(name) = &last {
            headers.append(name.clone(), value);
        }
    }
}

/// The field names listed in `Connection`, without those that must never be dropped this way.
fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    const KEPT: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE];
    headers
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !KEPT.contains(name))
        .collect()
}
