//! What is served as it is and changes only with the binary or its config: the OpenAPI documents and the
//! client for browsers.
//!
//! Any page may read it: it says nothing that the binary does not say to everybody.

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use raincheck_exchange::Payload;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::respond;

/// `Cross-Origin-Resource-Policy` (Fetch standard, section 3.7).
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A file in memory with its entity tag.
pub(crate) struct Asset {
    bytes: Bytes,
    kind: &'static str,
    tag: String,
}

impl Asset {
    /// A document as JSON, on many lines.
    pub(crate) fn json(document: &Value) -> Self {
        Self::new(format!("{document:#}\n").into(), "application/json")
    }

    /// An ES module.
    pub(crate) fn module(text: &'static str) -> Self {
        let bytes = Bytes::from_static(text.as_bytes());
        Self::new(bytes, "text/javascript; charset=utf-8")
    }

    fn new(bytes: Bytes, kind: &'static str) -> Self {
        let digest = Sha256::digest(&bytes);
        let hex: String = digest.iter().take(8).map(|b| format!("{b:02x}")).collect();
        Self {
            bytes,
            kind,
            tag: format!("\"{hex}\""),
        }
    }

    /// The file, or 304 for who has it. Caches ask each time: another binary may have another.
    pub(crate) fn answer(&self, asked: &HeaderMap) -> Response<Payload> {
        let mut response = match respond::none_match(asked, &self.tag) {
            true => crate::empty(StatusCode::NOT_MODIFIED),
            false => {
                let mut response = Response::new(Payload::Full(self.bytes.clone()));
                respond::set(&mut response, header::CONTENT_TYPE, self.kind);
                response
            }
        };
        respond::set(&mut response, header::ETAG, &self.tag);
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-cache"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (RESOURCE_POLICY, "cross-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
