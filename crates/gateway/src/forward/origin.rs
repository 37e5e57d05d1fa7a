//! Who asked: `Forwarded` (RFC 7239) and the `X-Forwarded-*` fields that most backends read.
//!
//! A trusted proxy in front may speak either language or both. We continue those it speaks; a
//! second, shorter story in the other one would only contradict it.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};

use super::text;
use crate::host::Host;
use crate::server::Peer;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// The scheme of a client's request. There is no other listener yet.
const SCHEME: HeaderValue = HeaderValue::from_static("http");

/// Whether a field, by its name, says who asked.
pub(super) fn tells(name: &[u8]) -> bool {
    name == b"forwarded" || name == b"x-real-ip" || name.starts_with(b"x-forwarded-")
}

/// Who asked, and whether what they say of others is believed.
pub(super) struct Origin<'a> {
    client: IpAddr,
    host: &'a HeaderValue,
    trusted: bool,
}

impl<'a> Origin<'a> {
    pub(super) fn new(peer: &Peer, host: &'a HeaderValue, trusted: bool) -> Self {
        let client = peer.addr.ip().to_canonical();
        Self {
            client,
            host,
            trusted,
        }
    }

    /// Sets or continues the forwarding fields. Those of untrusted clients are gone already.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        let standard = headers.contains_key(FORWARDED);
        let common = headers
            .keys()
            .any(|name| tells(name.as_str().as_bytes()) && name != FORWARDED);
        let neither = !self.trusted || !(standard || common);
        if neither || standard {
            self.continue_list(headers, FORWARDED, &self.element());
        }
        if neither || common {
            self.continue_list(headers, FOR, &self.client.to_string());
            self.set_missing(headers);
        }
    }

    /// Adds an element to a list, in one field line, as some backends read only one.
    fn continue_list(&self, headers: &mut HeaderMap, name: HeaderName, element: &str) {
        let mut list = Vec::new();
        for value in headers.get_all(&name) {
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(b", ");
        }
        if list.is_empty() {
            headers.insert(name, text(element));
            return;
        }
        list.extend_from_slice(element.as_bytes());
        if let Ok(value) = HeaderValue::from_bytes(&list) {
            headers.insert(name, value);
        }
    }

    fn set_missing(&self, headers: &mut HeaderMap) {
        headers.entry(PROTO).or_insert(SCHEME);
        headers.entry(HOST).or_insert_with(|| self.host.clone());
        headers.entry(PORT).or_insert_with(|| {
            // The port that the client wrote or left out, which need not be the one we listen on.
            let host = Host::parse(self.host.as_bytes());
            let port = host.and_then(|host| host.port).unwrap_or(80);
            HeaderValue::from(port)
        });
    }

    /// Our element of `Forwarded`.
    fn element(&self) -> String {
        let mut element = match self.client {
            IpAddr::V4(addr) => format!("for={addr}"),
            IpAddr::V6(addr) => format!("for=\"[{addr}]\""),
        };
        if let Ok(host) = self.host.to_str() {
            let quote = if host.contains([':', '[']) { "\"" } else { "" };
            let _ = write!(element, ";host={quote}{host}{quote}");
        }
        element.push_str(";proto=http");
        element
    }
}
