//! Who asked: `Forwarded` (RFC 7239) and the `X-Forwarded-*` fields that most backends read.
//!
//! A trusted proxy in front may speak either language or both. We continue those it speaks; a
//! second, shorter story in the other one would only contradict it.

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{FORWARDED, HeaderMap, HeaderName, HeaderValue};
use raincheck_core::hop::tells_origin;

use super::owned;
use crate::host::Host;
use crate::server::Peer;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What a host makes of the fields about one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    host: HeaderValue,
    /// Our element of `Forwarded`.
    element: HeaderValue,
    port: HeaderValue,
}

/// Who asked, and whether what they say of others is believed.
pub(super) struct Origin<'a> {
    said: &'a OnceLock<Said>,
    client: &'a HeaderValue,
    host: &'a HeaderValue,
    trusted: bool,
    /// Whether the client came by TLS.
    secure: bool,
}

impl<'a> Origin<'a> {
    pub(super) fn new(peer: &'a Peer, host: &'a HeaderValue, trusted: bool) -> Self {
        Self {
            said: &peer.said,
            client: &peer.client,
            host,
            trusted,
            secure: peer.secure.is_some(),
        }
    }

    /// Sets or continues the forwarding fields. Those of untrusted clients are gone already.
    pub(super) fn describe(&self, headers: &mut HeaderMap) {
        if !self.trusted {
            let known = self.said.get_or_init(|| self.say());
            if known.host == *self.host {
                self.add(headers, known.clone());
            } else {
                self.add(headers, self.say());
            }
            return;
        }
        let (standard, common) = spoken(headers);
        let neither = !standard && !common;
        if neither || standard {
            continue_list(headers, FORWARDED, owned(self.element()));
        }
        if neither || common {
            continue_list(headers, FOR, self.client.clone());
            headers
                .entry(PROTO)
                .or_insert_with(|| HeaderValue::from_static(self.scheme()));
            headers.entry(HOST).or_insert_with(|| self.host.clone());
            headers.entry(PORT).or_insert_with(|| self.port());
        }
    }

    /// Sets the fields where there are none.
    fn add(&self, headers: &mut HeaderMap, said: Said) {
        headers.append(FORWARDED, said.element);
        headers.append(FOR, self.client.clone());
        headers.append(PROTO, HeaderValue::from_static(self.scheme()));
        headers.append(HOST, said.host);
        headers.append(PORT, said.port);
    }

    fn say(&self) -> Said {
        Said {
            // A copy: the original is a part of the buffer that the request was read into.
            host: owned(Bytes::copy_from_slice(self.host.as_bytes())),
            element: owned(self.element()),
            port: self.port(),
        }
    }

    /// The port that the client wrote or left out, which need not be the one we listen on.
    fn port(&self) -> HeaderValue {
        match Host::parse(self.host.as_bytes()).and_then(|host| host.port) {
            Some(port) => HeaderValue::from(port),
            None if self.secure => HeaderValue::from_static("443"),
            None => HeaderValue::from_static("80"),
        }
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Our element of `Forwarded`.
    fn element(&self) -> Vec<u8> {
        let (client, host) = (self.client.as_bytes(), self.host.as_bytes());
        let quote = |bytes: &[u8]| match memchr::memchr2(b':', b'[', bytes) {
            Some(_) => "\"",
            None => "",
        };
        let (open, close) = match memchr::memchr(b':', client) {
            Some(_) => ("\"[", "]\""),
            None => ("", ""),
        };
        [
            &b"for="[..],
            open.as_bytes(),
            client,
            close.as_bytes(),
            b";host=",
            quote(host).as_bytes(),
            host,
            quote(host).as_bytes(),
            b";proto=",
            self.scheme().as_bytes(),
        ]
        .concat()
    }
}

/// Which of the two languages a proxy in front speaks.
fn spoken(headers: &HeaderMap) -> (bool, bool) {
    let common = |name: &HeaderName| *name != FORWARDED && tells_origin(name.as_str().as_bytes());
    (headers.contains_key(FORWARDED), headers.keys().any(common))
}

/// Adds an element to a list, in one field line, as some backends read only one.
fn continue_list(headers: &mut HeaderMap, name: HeaderName, element: HeaderValue) {
    let mut list = Vec::new();
    for value in headers.get_all(&name) {
        list.extend_from_slice(value.as_bytes());
        list.extend_from_slice(b", ");
    }
    if list.is_empty() {
        headers.insert(name, element);
        return;
    }
    list.extend_from_slice(element.as_bytes());
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(list)) {
        headers.insert(name, value);
    }
}
