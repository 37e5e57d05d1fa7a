//! An answer that a route gives by itself.

use std::path::PathBuf;

use bytes::Bytes;
use http::HeaderMap;

/// The one answer to every request of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The status, 200 to 599.
    pub status: u16,
    /// The fields, `content-type` among them where there is a body.
    pub fields: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The file that the body is read from, once, before the route is used.
    pub file: Option<PathBuf>,
}
