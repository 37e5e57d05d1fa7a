//! From a client's request head to the one that is sent upstream.
//!
//! - Fields of one hop, framing, `Expect` and whatever could pass for a field of ours are dropped;
//!   all others keep their values and their order, and ours follow them.
//! - A client that takes trailers has its `TE: trailers` sent on as ours: we pass trailers on.
//! - `Host` stays as the client sent it, so that a backend builds right links and picks the right
//!   virtual host; `X-Forwarded-Host` says the same for backends that look there.
//! - What an untrusted client claims about who it forwards for is replaced, what a trusted proxy
//!   says is continued.
//! - Path and query go on byte for byte.

mod origin;
#[cfg(test)]
mod tests;
mod trace;

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Uri, Version};
use memchr::memmem::Finder;
use raincheck_core::ambient::Ambient;
use raincheck_core::head::RequestHead;
use raincheck_core::hop;
use raincheck_core::problem::{Problem, ProblemCode};

use crate::rewrite::client;
use crate::server::Peer;
use crate::trusted::Trusted;
use origin::Origin;
pub(crate) use origin::Said;

/// Fields that are added on the way, here and with each attempt: room for them is made once.
const OURS: usize = 11;

/// The subject of a client's certificate, as RFC 4514 writes it.
const CLIENT_SUBJECT: HeaderName = HeaderName::from_static("raincheck-client-subject");

/// Makes upstream heads. One serves all requests of a process.
pub(crate) struct Forwarder {
    trusted: Trusted,
    ambient: Arc<dyn Ambient>,
    name: Finder<'static>,
    via: [HeaderValue; 3],
}

impl Forwarder {
    /// A forwarder that believes the forwarding fields of these networks, and that knows its own
    /// `Via` by a name nobody else has, other gateways of the same make included.
    pub(crate) fn new(trusted: Trusted, ambient: Arc<dyn Ambient>) -> Self {
        let mut name = "raincheck-".to_owned();
        let mut instance = [0; 6];
        ambient.fill(&mut instance);
        for byte in instance {
            let _ = write!(name, "{byte:02x}");
        }
        let via = ["1.0", "1.1", "2"].map(|version| owned(format!("{version} {name}")));
        Self {
            trusted,
            ambient,
            name: Finder::new(name.as_bytes()).into_owned(),
            via,
        }
    }

    /// The head to send upstream for a request that passed [`check_head`].
    ///
    /// # Errors
    /// The request has been here before.
    ///
    /// [`check_head`]: crate::check::check_head
    pub(crate) fn request_head(&self, parts: Parts, peer: &Peer) -> Result<RequestHead, Problem> {
        self.check_loop(&parts.headers)?;
        let trusted = self.trusts(peer);
        let host = host_value(&parts, peer);
        let takes_trailers = takes_trailers(&parts.headers);
        let mut headers = kept(parts.headers, &host, trusted);
        join_cookies(&mut headers);
        let via = match parts.version {
            Version::HTTP_10 => &self.via[0],
            Version::HTTP_2 => &self.via[2],
            _ => &self.via[1],
        };
        headers.append(header::VIA, via.clone());
        Origin::new(peer, &host, trusted).describe(&mut headers);
        if let Some(secure) = &peer.secure
            && let Some(subject) = &secure.subject
        {
            headers.insert(CLIENT_SUBJECT, subject.clone());
        }
        if takes_trailers {
            // The field is of one hop, and on HTTP/1 must say so (RFC 9110 section 10.1.4).
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
        }
        trace::ensure(&mut headers, &*self.ambient);
        Ok(RequestHead {
            method: parts.method,
            target: target(parts.uri),
            headers,
        })
    }

    /// Where the client is; none: nobody knows. Where two proxies tell two stories, both.
    pub(crate) fn clients(&self, headers: &HeaderMap, peer: &Peer) -> Vec<Option<IpAddr>> {
        let own = peer.addr.ip();
        match self.trusts(peer) {
            true => client::behind(headers, own, |ip| self.trusted.has(*ip)),
            false => vec![own],
        }
    }

    /// The scheme that the client used.
    pub(crate) fn scheme(&self, headers: &HeaderMap, peer: &Peer) -> &'static str {
        let told = self.trusts(peer).then(|| client::scheme(headers));
        let ours = match peer.secure {
            Some(_) => "https",
            None => "http",
        };
        told.flatten().unwrap_or(ours)
    }

    fn trusts(&self, peer: &Peer) -> bool {
        self.trusted.contains(&peer.addr)
    }

    fn check_loop(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let ours = |value: &HeaderValue| self.name.find(value.as_bytes()).is_some();
        match headers.get_all(header::VIA).iter().any(ours) {
            true => Err(Problem::new(
                ProblemCode::LoopDetected,
                "Via names this gateway: an upstream leads back to it",
            )),
            false => Ok(()),
        }
    }
}

/// Path and query as they came. An absolute form may have none, which means the root.
fn target(uri: Uri) -> PathAndQuery {
    let target = uri.into_parts().path_and_query;
    match target {
        Some(target) if target.as_str().starts_with('?') => {
            let rooted = format!("/{}", target.as_str());
            PathAndQuery::from_maybe_shared(Bytes::from(rooted)).unwrap_or(target)
        }
        Some(target) => target,
        None => PathAndQuery::from_static("/"),
    }
}

/// The host as the client wrote it; for an HTTP/1.0 client that wrote none, where it found us.
fn host_value(parts: &Parts, peer: &Peer) -> HeaderValue {
    if let Some(host) = parts.headers.get(header::HOST) {
        return host.clone();
    }
    match parts.uri.authority() {
        Some(authority) => owned(authority.as_str().to_owned()),
        None => match peer.local.tcp() {
            Some(local) => owned(local.to_string()),
            None => HeaderValue::from_static("localhost"),
        },
    }
}

/// Whether the client takes trailers, and has said so: many servers send none to who has not.
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| {
        let mut codings = value.as_bytes().split(|byte| *byte == b',');
        codings.any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

/// What stays of the client's fields, in their order, with `Host` first where it was missing.
fn kept(mut headers: HeaderMap, host: &HeaderValue, trusted: bool) -> HeaderMap {
    if names_more_than_hops(&headers) {
        hop::strip(&mut headers);
    }
    if headers.contains_key(header::HOST) && !headers.keys().any(|name| goes(name, trusted)) {
        headers.reserve(OURS);
        return headers;
    }
    let old = headers;
    let mut new = HeaderMap::with_capacity(old.len() + OURS);
    if !old.contains_key(header::HOST) {
        new.append(header::HOST, host.clone());
    }
    sift(old, &mut new, |name| goes(name, trusted));
    new
}

/// Moves the fields that do not go, in their order: removing one by one would change it.
fn sift(old: HeaderMap, new: &mut HeaderMap, goes: impl Fn(&HeaderName) -> bool) {
    let mut last = None;
    for (name, value) in old {
        if let Some(name) = name {
            last = (!goes(&name)).then_some(name);
        }
        if let Some(name) = &last {
            new.append(name.clone(), value);
        }
    }
}

/// Whether `Connection` names fields that only it knows to be of one hop.
fn names_more_than_hops(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        let value = value.as_bytes();
        !value.eq_ignore_ascii_case(b"keep-alive") && !value.eq_ignore_ascii_case(b"close")
    })
}

/// Whether a field stays behind.
fn goes(name: &HeaderName, trusted: bool) -> bool {
    if hop::is_hop_by_hop(name)
        || hop::is_own(name)
        || *name == header::CONTENT_LENGTH
        || *name == header::EXPECT
    {
        return true;
    }
    let bytes = name.as_str().as_bytes();
    if memchr::memchr(b'_', bytes).is_some() {
        return shadows(name);
    }
    !trusted && hop::tells_origin(bytes)
}

/// Whether a backend that reads `_` for `-` could take a field for one that we set, check or drop.
fn shadows(name: &HeaderName) -> bool {
    let dashed = name.as_str().replace('_', "-");
    HeaderName::try_from(dashed).map_or(true, |dashed| {
        dashed == header::HOST || dashed == header::VIA || goes(&dashed, false)
    })
}

/// HTTP/2 clients may cut `Cookie` into crumbs, which HTTP/1 backends do not put together
/// (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(header::COOKIE, value);
    }
}

/// A field value of bytes that are known to be visible ASCII.
fn owned(bytes: impl Into<Bytes>) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes.into())
        .unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}
