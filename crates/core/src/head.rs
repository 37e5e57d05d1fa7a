//! Request and response heads as values: what is stored, sent and replayed.

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};

/// A request as it goes to the upstream, but for what changes with each attempt. Hop-by-hop fields
/// are gone and forwarding fields are in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// Path and query, byte for byte as the client sent them.
    pub target: PathAndQuery,
    /// The fields, `host` among them.
    pub headers: HeaderMap,
}

/// A response as it came from the upstream, without hop-by-hop fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code, 200 to 599.
    pub status: u16,
    /// The reason phrase, where it is not the status code's usual one (HTTP/1.1 only).
    pub reason: Option<Bytes>,
    /// The fields in order of first appearance; values of one name in their order.
    pub headers: HeaderMap,
}
