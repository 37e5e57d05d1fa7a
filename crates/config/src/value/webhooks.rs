//! What is written of webhooks: keys, places, ports.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::HeaderName;
use raincheck_core::callback::SigningKey;
use raincheck_core::egress::{Place, Target};
use raincheck_core::route::Scheme;

use super::{Positive, Setting, Wrong, several, text};
use crate::tree::Node;

/// Ranges of ports.
#[derive(Debug, Clone)]
pub(crate) struct Ports(pub(crate) Vec<RangeInclusive<u16>>);

/// Host and port of an HTTP proxy.
#[derive(Debug, Clone)]
pub(crate) struct Proxy(pub(crate) (String, u16));

/// A place in a JSON document.
#[derive(Debug, Clone)]
pub(crate) struct JsonPointer(pub(crate) String);

impl Setting for Vec<SigningKey> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, |part| {
            signing_key(text(part)?).map_err(|reason| vec![Wrong::new(part, reason)])
        })
    }
}

fn signing_key(text: &str) -> Result<SigningKey, &'static str> {
    if let Some(secret) = text.strip_prefix("whsec_") {
        let secret = decoded(secret)?;
        return match secret.len() {
            24..=64 => Ok(SigningKey::Symmetric(secret)),
            _ => Err("a symmetric key has 24 to 64 bytes"),
        };
    }
    let Some(pair) = text.strip_prefix("whsk_") else {
        return Err("a key begins with whsec_ (symmetric) or whsk_ (Ed25519, private)");
    };
    let pair = decoded(pair)?;
    match (pair.first_chunk(), pair.last_chunk()) {
        (Some(seed), Some(public)) if pair.len() == 64 => Ok(SigningKey::Ed25519 {
            seed: *seed,
            public: *public,
        }),
        _ => Err("an Ed25519 key has 64 bytes: 32 of the seed, 32 of the public key"),
    }
}

fn decoded(text: &str) -> Result<Vec<u8>, &'static str> {
    let bare = STANDARD_NO_PAD.decode(text);
    bare.or_else(|_| STANDARD.decode(text))
        .map_err(|_| "what follows the prefix is not base64")
}

impl Setting for Vec<Place> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, |part| {
            let place = text(part)?.parse();
            place.map_err(|error: raincheck_core::egress::PlaceError| {
                vec![Wrong::new(part, error.to_string())]
            })
        })
    }
}

impl Setting for Ports {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let ranges = several(node, |part| {
            let text = text(part)?;
            range(text).ok_or_else(|| vec![Wrong::new(part, "it is no port or range of ports")])
        })?;
        match ranges.is_empty() {
            true => Err(vec![Wrong::new(node, "there is none")]),
            false => Ok(Self(ranges)),
        }
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.trim().parse().ok().filter(|port| *port != 0);
    let (from, to) = (port(from)?, port(to)?);
    (from <= to).then_some(from..=to)
}

impl Setting for Vec<Positive> {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        several(node, Positive::read)
    }
}

impl Setting for Proxy {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let wrong = |reason: String| vec![Wrong::new(node, reason)];
        let target = Target::parse(text).map_err(|error| wrong(error.to_string()))?;
        if target.scheme != Scheme::Http || target.uri.path() != "/" {
            let reason = "it is not http:// with host and port alone";
            return Err(wrong(reason.to_owned()));
        }
        let authority = target.authority();
        let host = authority
            .rsplit_once(':')
            .map_or(&*authority, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self((host.to_owned(), target.port)))
    }
}

impl Setting for HeaderName {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let name = HeaderName::try_from(text(node)?);
        name.map_err(|_| vec![Wrong::new(node, "it is not the name of a header field")])
    }
}

impl Setting for JsonPointer {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        match text.starts_with('/') {
            true => Ok(Self(text.to_owned())),
            false => Err(vec![Wrong::new(node, "it does not begin with a slash")]),
        }
    }
}
