//! A recorded response as a response again: same status, reason, fields, bytes and trailers.

use std::sync::Arc;

use http::header::{CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body::Body as _;
use raincheck_core::head::ResponseHead;
use raincheck_core::hop;
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::BodyReader;

use crate::payload::Relay;
use crate::stored::StoredBody;
use crate::{Opened, Payload, Recorded};

/// A response that is passed on as it comes.
pub fn relay(opened: Opened) -> Response<Payload> {
    with_head(
        opened.head,
        Payload::Relay(Box::new(Relay::new(opened.body))),
    )
}

/// A recorded response that is not stored.
pub fn recorded(recorded: Recorded) -> Response<Payload> {
    let len = recorded.body.len();
    let reader: Arc<dyn BodyReader> = recorded.body.reader().into();
    let body = body(reader, 0, len, recorded.trailers);
    with_head(recorded.head, body)
}

/// `len` stored bytes from `offset`, then the trailers.
pub fn body(reader: Arc<dyn BodyReader>, offset: u64, len: u64, trailers: HeaderMap) -> Payload {
    if len == 0 && trailers.is_empty() {
        return Payload::Empty;
    }
    Payload::Stored(Box::new(StoredBody::new(
        reader,
        offset,
        len,
        trailers,
        SEGMENT_FRAME_BYTES,
    )))
}

/// A response with this head. Trailers that are known already are announced in it.
pub fn with_head(mut head: ResponseHead, body: Payload) -> Response<Payload> {
    if let Payload::Stored(stored) = &body
        && let Some(trailers) = stored.trailers()
    {
        hop::announce_trailers(&mut head.headers, trailers);
    }
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
    *response.headers_mut() = head.headers;
    if let Some(reason) = head.reason
        && let Ok(reason) = hyper::ext::ReasonPhrase::try_from(reason)
    {
        response.extensions_mut().insert(reason);
    }
    response
}

/// A response as the answer to a request with this method: HEAD gets no body but learns its length,
/// and a length that is not that of the body is not told. So a recorded answer to HEAD can be shown
/// to GET, and HTTP/2, which ends a stream by its bytes, is never contradicted.
pub fn fit(mut response: Response<Payload>, method: &Method) -> Response<Payload> {
    if *method == Method::HEAD {
        let len = response.body().size_hint().exact().filter(|len| *len > 0);
        let headers = response.headers_mut();
        if let (Some(len), false) = (len, headers.contains_key(CONTENT_LENGTH)) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(len));
        }
        *response.body_mut() = Payload::Empty;
    } else if response.body().is_end_stream()
        && response
            .headers()
            .get(CONTENT_LENGTH)
            .is_some_and(|len| len.as_bytes() != b"0")
    {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    response
}
