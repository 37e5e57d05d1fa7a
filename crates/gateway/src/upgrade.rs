//! WebSockets over HTTP/2 (RFC 8441) as what they are over HTTP/1.1, so that nothing behind the
//! front door has to know of both.
//!
//! An extended CONNECT becomes the `GET` with `Upgrade: websocket` that it would have been, with a
//! key that we make; the proof of that key, which only we can check, goes no further.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    UPGRADE,
};
use http::{Method, Request, Response, StatusCode};
use raincheck_core::ambient::Ambient;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::Payload;
use raincheck_exchange::upgrade::Asked;
use sha1::{Digest as _, Sha1};

/// The one protocol that is registered for it and goes over HTTP/1.1 too.
const WEBSOCKET: &str = "websocket";

/// The version of the protocol that the fields belong to (RFC 6455).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// What every proof of a key has behind it (RFC 6455 section 1.3).
const PROOF: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Makes an extended CONNECT for a WebSocket the request that it would have been. Returns the key of
/// that; none: it was something else.
pub(crate) fn unfold<B>(request: &mut Request<B>, ambient: &dyn Ambient) -> Option<HeaderValue> {
    let websocket = *request.method() == Method::CONNECT
        && request
            .extensions()
            .get::<Asked>()
            .is_some_and(|asked| asked.names(WEBSOCKET));
    if !websocket {
        return None;
    }
    let key = key(ambient);
    *request.method_mut() = Method::GET;
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.entry(SEC_WEBSOCKET_VERSION).or_insert(VERSION);
    headers.insert(SEC_WEBSOCKET_KEY, key.clone());
    Some(key)
}

/// A key of 16 bytes that nobody can guess (RFC 6455 section 4.1).
fn key(ambient: &dyn Ambient) -> HeaderValue {
    let mut bytes = [0; 16];
    ambient.fill(&mut bytes);
    let key = HeaderValue::try_from(STANDARD.encode(bytes));
    key.unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// What shows that somebody has read the key.
fn proof_of(key: &HeaderValue) -> String {
    let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(PROOF);
    STANDARD.encode(digest.finalize())
}

/// The answer to an extended CONNECT: a success says that the protocol was switched, so nothing else
/// may look like one.
///
/// # Errors
/// Whoever answered did not switch, or has not read the key.
pub(crate) fn fold(
    mut response: Response<Payload>,
    key: &HeaderValue,
) -> Result<Response<Payload>, Problem> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let proof = response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
        if proof.is_none_or(|proof| proof != proof_of(key)) {
            let detail = "the answer to a WebSocket handshake does not belong to its key";
            return Err(Problem::new(ProblemCode::UpstreamBroken, detail));
        }
    } else if response.status().is_success() {
        let detail = format!(
            "the answer to a WebSocket handshake was {} and not 101",
            response.status()
        );
        return Err(Problem::new(ProblemCode::UpstreamBroken, detail));
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standard() {
        // RFC 6455 section 1.3.
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(proof_of(&key), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
