//! Which peers are believed, by where they come from.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::address::Address;

/// Peers that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trusted {
    /// Those of these networks.
    pub networks: Vec<IpNet>,
    /// Those that come through a Unix socket.
    pub unix: bool,
}

impl Trusted {
    /// Whether an address is in one of the networks.
    pub(crate) fn has(&self, ip: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&ip))
    }

    /// Whether a peer is one of them.
    pub fn contains(&self, peer: &Address) -> bool {
        match peer.ip() {
            Some(ip) => self.has(ip),
            None => self.unix,
        }
    }
}
