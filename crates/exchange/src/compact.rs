//! Copies that stand alone: what is kept must not keep the buffer it was read into.
//!
//! Heads and small bodies are slices of a connection's read buffer. One that is stored or cached
//! would hold on to all of it, many times its own size, and the connection would need a new one.

use bytes::{Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue};
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::limits::BODY_INLINE_BYTES;
use raincheck_store::Body;

use crate::RequestBody;

/// The same fields in one buffer of their own. The map is copied as it is and its values are put in
/// after that: to add them one by one would hash every name.
pub fn headers(fields: &HeaderMap) -> HeaderMap {
    if fields.is_empty() {
        return HeaderMap::new();
    }
    let mut copies = fields.clone();
    let len = copies.values().map(HeaderValue::len).sum();
    let mut buffer = BytesMut::with_capacity(len);
    copies
        .values()
        .for_each(|value| buffer.extend_from_slice(value.as_bytes()));
    let mut rest = buffer.freeze();
    for value in copies.values_mut() {
        let bytes = rest.split_to(value.len().min(rest.len()));
        // What was a value once is one again; if not, the original serves.
        if let Ok(mut copy) = HeaderValue::from_maybe_shared(bytes) {
            copy.set_sensitive(value.is_sensitive());
            *value = copy;
        }
    }
    copies
}

/// The same request head.
pub fn request(head: &RequestHead) -> RequestHead {
    let target = Bytes::copy_from_slice(head.target.as_str().as_bytes());
    RequestHead {
        method: head.method.clone(),
        target: PathAndQuery::from_maybe_shared(target).unwrap_or_else(|_| head.target.clone()),
        headers: headers(&head.headers),
    }
}

/// A small body that is a slice of something larger stands alone from now on.
pub fn request_body(body: &mut RequestBody) {
    if let RequestBody::Bytes(bytes) = body
        && bytes.len() <= BODY_INLINE_BYTES
    {
        *bytes = Bytes::copy_from_slice(bytes);
    }
}

/// The same response head.
pub fn response(head: &ResponseHead) -> ResponseHead {
    ResponseHead {
        status: head.status,
        reason: head.reason.clone(),
        headers: headers(&head.headers),
    }
}

/// The same body.
pub fn body(body: Body) -> Body {
    match body {
        Body::Inline(bytes) => Body::Inline(Bytes::copy_from_slice(&bytes)),
        file @ Body::File { .. } => file,
    }
}

#[cfg(test)]
mod tests {
    //! Copies are equal, and elsewhere.

    use super::*;

    #[test]
    fn copies_are_equal_and_share_nothing() {
        let read = Bytes::from_static(b"one, two/path?q=1");
        let mut fields = HeaderMap::new();
        let value = |range| HeaderValue::from_maybe_shared(read.slice(range)).unwrap();
        fields.append("b", value(0..3));
        fields.append("a", value(5..8));
        fields.append("b", value(5..8));
        fields.append("empty", HeaderValue::from_static(""));
        fields.append("c", value(0..8));
        fields.append("a", value(2..4));
        fields.append("b", value(1..6));
        let head = RequestHead {
            method: http::Method::PUT,
            target: PathAndQuery::from_maybe_shared(read.slice(8..)).unwrap(),
            headers: fields,
        };
        let copy = request(&head);
        assert_eq!(copy, head);
        let names = |head: &RequestHead| head.headers.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&copy), names(&head), "in the same order");
        for (own, old) in copy.headers.values().zip(head.headers.values()) {
            assert!(own.is_empty() || own.as_bytes().as_ptr() != old.as_bytes().as_ptr());
        }
        assert_ne!(copy.target.as_str().as_ptr(), head.target.as_str().as_ptr());
    }
}
