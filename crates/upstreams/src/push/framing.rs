//! What a response's head must be for its end to be certain, and for its connection to be used
//! again.

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, StatusCode, Version, response};
use http_body::Body;
use raincheck_core::outcome::Failure;

use super::words;

/// Refuses heads that two readers could read differently. Bad lengths and encodings of their own
/// are refused by the parser.
pub(super) fn check(head: &response::Parts) -> Result<(), Failure> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(words::not_http("it switches protocols without being asked"));
    }
    let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return Ok(());
    };
    if !encoding.as_bytes().eq_ignore_ascii_case(b"chunked") || encodings.next().is_some() {
        return Err(words::not_http(
            "its Transfer-Encoding is something else than chunked",
        ));
    }
    if head.headers.contains_key(CONTENT_LENGTH) {
        return Err(words::not_http(
            "it has both Transfer-Encoding and Content-Length",
        ));
    }
    Ok(())
}

/// Whether the peer keeps the connection after this response. Not asked of HTTP/1.0: a parser that
/// has met it speaks 1.0 from then on, and drops the next request's body where it has no length.
pub(super) fn keeps_connection(head: &response::Parts) -> bool {
    head.version == Version::HTTP_11
        && !head.headers.get_all(CONNECTION).iter().any(|value| {
            value
                .as_bytes()
                .split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
        })
}

/// Makes sure that a body of unknown length is sent whatever the method: without this, the body of
/// a GET would be dropped in silence.
pub(super) fn complete(headers: &mut HeaderMap, body: &impl Body) {
    if !body.is_end_stream()
        && body.size_hint().exact().is_none()
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
    {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}
