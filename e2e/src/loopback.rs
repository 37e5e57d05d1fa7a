//! Addresses for servers that must be told where to listen before they start. Each test process has
//! a loopback address of its own, so that nobody else takes the port meanwhile.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// A place that is free until somebody listens there.
#[must_use]
pub fn free() -> SocketAddr {
    static PORTS: AtomicU16 = AtomicU16::new(8000);
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | (high & 63), middle, low);
    (own, PORTS.fetch_add(1, Ordering::Relaxed)).into()
}
