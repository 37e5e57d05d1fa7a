//! Whom a request came from.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::HeaderValue;

use crate::address::Address;
use crate::forward::Said;
use crate::tls::Secure;

/// Whom a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection.
    pub addr: Address,
    /// Our end of the connection.
    pub local: Address,
    /// Which connection, counted from the start of the process.
    pub connection: u64,
    /// The client's address as text, written once per connection and not once per request.
    pub(crate) client: HeaderValue,
    /// What upstreams are told of the client: written with the first request, as nearly all
    /// requests of a connection are for one host.
    pub(crate) said: OnceLock<Said>,
    /// What TLS told of the client; none: there was no TLS.
    pub(crate) secure: Option<Arc<Secure>>,
}

impl Peer {
    /// The peer of one connection.
    pub fn new(addr: impl Into<Address>, local: impl Into<Address>, connection: u64) -> Self {
        let addr = addr.into();
        // What RFC 7239 section 6.2 has for one whose address is not known.
        let unknown = HeaderValue::from_static("unknown");
        let client = match addr.ip() {
            Some(ip) => HeaderValue::from_maybe_shared(Bytes::from(ip.to_string())),
            None => Ok(unknown.clone()),
        };
        Self {
            addr,
            local: local.into(),
            connection,
            client: client.unwrap_or(unknown),
            said: OnceLock::new(),
            secure: None,
        }
    }
}
