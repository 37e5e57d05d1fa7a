//! Which fields stay on one hop (RFC 9110 section 7.6.1), which are ours to set, and which may come
//! as trailers.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

/// Fields that are never forwarded, whether `Connection` names them or not. As a constant it would
/// be made and dropped anew for each field that is looked up.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    // Nothing that HTTP knows: a CGI-like backend would read it as its `HTTP_PROXY` (httpoxy).
    HeaderName::from_static("proxy"),
];

/// Fields that no trailer may bring, as they were needed before the body or checked in the head
/// (RFC 9110 section 6.5.1): framing, routing, conditions, authentication, what the content is, and
/// what to do with the answer.
static HEAD_ONLY: [HeaderName; 29] = [
    header::CONTENT_LENGTH,
    header::TRAILER,
    header::HOST,
    header::VIA,
    header::MAX_FORWARDS,
    header::EXPECT,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::AUTHORIZATION,
    header::WWW_AUTHENTICATE,
    header::COOKIE,
    header::SET_COOKIE,
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_RANGE,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::AGE,
    header::EXPIRES,
    header::VARY,
    header::DATE,
    header::LOCATION,
    header::RETRY_AFTER,
    HeaderName::from_static("prefer"),
    HeaderName::from_static("idempotency-key"),
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
    let Some(first) = headers.keys().position(goes) else {
        return;
    };
    let named = connection_names(headers);
    if named.is_empty() && remove_last(headers, first) {
        return;
    }
    sift(headers, |name| goes(name) || named.contains(name));
}

/// Removes the field at this place if it is the last one, which keeps the order of the others.
fn remove_last(headers: &mut HeaderMap, place: usize) -> bool {
    let is_last = place + 1 == headers.keys_len();
    if is_last && let Some(name) = headers.keys().nth(place).cloned() {
        headers.remove(name);
    }
    is_last
}

/// Whether a field, by its name, says who asked: `Forwarded` and its unofficial relatives.
pub fn tells_origin(name: &[u8]) -> bool {
    name == b"forwarded" || name == b"x-real-ip" || name.starts_with(b"x-forwarded-")
}

/// Removes the trailers that would be a field of one hop, of ours or of a head, also where a `_`
/// stands for a `-`, as some backends read one for the other and merge trailers into the head.
/// Keeps the order of what stays.
pub fn strip_trailers(trailers: &mut HeaderMap) {
    if trailers.keys().any(is_no_trailer) {
        sift(trailers, is_no_trailer);
    }
}

/// Whether a field must not come as a trailer.
fn is_no_trailer(name: &HeaderName) -> bool {
    if name.as_str().contains('_') {
        let dashed = name.as_str().replace('_', "-");
        return HeaderName::try_from(dashed).map_or(true, |name| is_no_trailer(&name));
    }
    is_hop_by_hop(name)
        || is_own(name)
        || tells_origin(name.as_str().as_bytes())
        || HEAD_ONLY.contains(name)
}

/// Adds to `Trailer` the names of the trailers that it does not list: an HTTP/1 connection sends
/// no others.
pub fn announce_trailers(headers: &mut HeaderMap, trailers: &HeaderMap) {
    if trailers.is_empty() {
        return;
    }
    let listed = listed(headers, header::TRAILER);
    let missing: Vec<&str> = trailers
        .keys()
        .filter(|name| !listed.contains(name))
        .map(HeaderName::as_str)
        .collect();
    if missing.is_empty() {
        return;
    }
    if let Ok(value) = HeaderValue::try_from(missing.join(", ")) {
        headers.append(header::TRAILER, value);
    }
}

/// Removes the fields that go, and keeps the order of the others: removing one by one would not.
pub(crate) fn sift(headers: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let old = std::mem::take(headers);
    headers.reserve(old.len());
    let mut last = None;
    for (name, value) in old {
        if let Some(name) = name {
            last = (!goes(&name)).then_some(name);
        }
        if let Some(name) = &last {
            headers.append(name.clone(), value);
        }
    }
}

/// The field names listed in `Connection`, without those that must never be dropped this way.
fn connection_names(headers: &HeaderMap) -> Vec<HeaderName> {
    const KEPT: [HeaderName; 3] = [header::HOST, header::CONTENT_LENGTH, header::CONTENT_TYPE];
    let mut names = listed(headers, header::CONNECTION);
    names.retain(|name| !KEPT.contains(name) && !is_hop_by_hop(name));
    names
}

/// The field names in a field that is a list of them.
fn listed(headers: &HeaderMap, list: HeaderName) -> Vec<HeaderName> {
    headers
        .get_all(list)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .collect()
}
