//! Which addresses are on the public internet, and which lead somewhere else.
//!
//! The lists are the union of what two products with long experience deny (see
//! `docs/guide/webhooks.md`), from the IANA registries of special-purpose addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Networks of version 4 that are not the public internet: address, bits, and what they are for.
const DENIED_V4: [([u8; 4], u32); 19] = [
    ([0, 0, 0, 0], 8),        // this host
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carrier-grade NAT
    ([127, 0, 0, 0], 8),      // loopback
    ([169, 254, 0, 0], 16),   // link-local, metadata of clouds
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 31, 196, 0], 24),  // AS112
    ([192, 52, 193, 0], 24),  // AMT
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([192, 175, 48, 0], 24),  // AS112
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([168, 63, 129, 16], 32), // the host of a virtual machine on Azure
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and broadcast
];

/// Networks of version 6 within 2000::/3 that are not the public internet. All that is outside of
/// 2000::/3 is not either: loopback, unique local (with the metadata of AWS), link-local,
/// multicast, discard, SRv6, NAT64, and addresses of version 4 in all their wrappings.
const DENIED_V6: [(u128, u32); 7] = [
    (0x2001 << 112, 32),     // Teredo
    (0x2001_0002 << 96, 48), // benchmarks
    (0x2001_0010 << 96, 28), // ORCHID
    (0x2001_0020 << 96, 28), // ORCHIDv2
    (0x2001_0db8 << 96, 32), // documentation
    (0x2002 << 112, 16),     // 6to4
    (0x3fff << 112, 20),     // documentation
];

/// Whether an address is on the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let own = address.to_bits();
    !DENIED_V4.iter().any(|(network, bits)| {
        let network = Ipv4Addr::from(*network).to_bits();
        (own ^ network) >> (32 - bits) == 0
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let own = address.to_bits();
    let global = own >> 125 == 1;
    global
        && !DENIED_V6
            .iter()
            .any(|(network, bits)| (own ^ network) >> (128 - bits) == 0)
}

/// The address of version 4 that packets to this one may end at: of NAT64, 6to4, Teredo, and what
/// was once called compatible.
pub(super) fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let own = address.to_bits();
    let at = |shift: u32| Some(Ipv4Addr::from_bits((own >> shift & 0xffff_ffff) as u32));
    match own {
        _ if own >> 32 == 0x0064_ff9b << 64 => at(0),
        _ if own >> 80 == 0x0064_ff9b_0001 => at(0),
        _ if own >> 112 == 0x2002 => at(80),
        _ if own >> 96 == 0x2001_0000 => at(0).map(|client| Ipv4Addr::from_bits(!client.to_bits())),
        _ if own >> 32 == 0 && own > 0xffff => at(0),
        _ => None,
    }
}
