//! A recorded response as a response again: same status, reason, fields, bytes and trailers.

use std::sync::Arc;

use http::{HeaderMap, Response, StatusCode};
use raincheck_core::head::ResponseHead;
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

/// A response with this head.
pub fn with_head(head: ResponseHead, body: Payload) -> Response<Payload> {
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
