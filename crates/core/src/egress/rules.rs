//! Which targets may be called: by scheme, port, name, and the address that is dialled.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::IpNet;

use super::address::{embedded, is_public};
use super::{Host, Target};
use crate::route::Scheme;

/// What may be called. What is allowed wins over what is denied; what is neither may be called if
/// it is on the public internet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Called wherever they are.
    pub allow: Vec<Place>,
    /// Never called.
    pub deny: Vec<Place>,
    /// Ports that may be called.
    pub ports: Vec<RangeInclusive<u16>>,
    /// Whether TLS is a must.
    pub https_only: bool,
}

impl Default for Rules {
    /// The public internet, on the ports of the web and those that no root is needed for.
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            deny: Vec::new(),
            ports: vec![80..=80, 443..=443, 1024..=u16::MAX],
            https_only: false,
        }
    }
}

/// A part of the world, as written in a config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A network: `10.0.0.0/8`, or one address.
    Network(IpNet),
    /// A name: `hooks.internal`.
    Name(String),
    /// All names below one: `*.svc.cluster.local`.
    Below(String),
}

/// A text is neither a network nor a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither a network nor a name")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if let Ok(network) = text.parse() {
            return Ok(Self::Network(network));
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Network(address.into()));
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        match super::host(name) {
            Ok(Host::Name(name)) if below => Ok(Self::Below(name)),
            Ok(Host::Name(name)) => Ok(Self::Name(name)),
            _ => Err(PlaceError),
        }
    }
}

impl Place {
    fn has_name(&self, name: &str) -> bool {
        match self {
            Self::Network(_) => false,
            Self::Name(own) => own == name,
            Self::Below(own) => name
                .strip_suffix(own.as_str())
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
        }
    }

    fn has_address(&self, address: IpAddr) -> bool {
        match self {
            Self::Network(network) => network.contains(&address),
            Self::Name(_) | Self::Below(_) => false,
        }
    }
}

/// Why a target is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It is not https.
    #[error("only https URLs are called")]
    Scheme,
    /// Its port.
    #[error("port {0} is not called")]
    Port(u16),
    /// Its host. The same words whether it does not resolve, resolves to what is denied, or is
    /// denied by name: who asks learns nothing about names and addresses behind the gateway.
    #[error("its host does not resolve, or only to addresses that are not called")]
    Host,
}

impl Rules {
    /// What can be said without resolving a name: scheme, port, denied names, literal addresses.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn check(&self, target: &Target) -> Result<(), Denied> {
        if self.https_only && target.scheme != Scheme::Https {
            return Err(Denied::Scheme);
        }
        if !self.ports.iter().any(|range| range.contains(&target.port)) {
            return Err(Denied::Port(target.port));
        }
        let fine = match &target.host {
            Host::Address(address) => self.allows(&target.host, *address),
            Host::Name(name) => self.allows_name(name) || !has_name(&self.deny, name),
        };
        if fine { Ok(()) } else { Err(Denied::Host) }
    }

    /// Whether `address`, to which `host` resolved just now, may be dialled.
    pub fn allows(&self, host: &Host, address: IpAddr) -> bool {
        if let Host::Name(name) = host {
            if self.allows_name(name) {
                return true;
            }
            if has_name(&self.deny, name) {
                return false;
            }
        }
        // Where a packet is carried on to, and not only how it is wrapped.
        let carried = embedded(address).map(IpAddr::V4);
        [Some(address.to_canonical()), carried]
            .into_iter()
            .flatten()
            .all(|address| self.allows_address(address))
    }

    fn allows_name(&self, name: &str) -> bool {
        has_name(&self.allow, name)
    }

    fn allows_address(&self, address: IpAddr) -> bool {
        let is_in = |places: &[Place]| places.iter().any(|place| place.has_address(address));
        is_in(&self.allow) || (!is_in(&self.deny) && is_public(address))
    }
}

fn has_name(places: &[Place], name: &str) -> bool {
    places.iter().any(|place| place.has_name(name))
}
