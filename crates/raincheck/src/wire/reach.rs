//! How upstreams reach this gateway: what the operator said, or a guess for one machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Scheme and authority under which upstreams find this gateway; none where it listens on nothing
/// but Unix sockets and the operator said nothing.
pub(super) fn base(said: Option<String>, first_tcp: Option<SocketAddr>) -> Option<String> {
    said.or_else(|| Some(format!("http://{}", guess(first_tcp?))))
}

/// Somebody who listens everywhere listens on loopback too.
fn guess(mut addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        ip if !ip.is_unspecified() => {}
        IpAddr::V4(_) => addr.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(_) => addr.set_ip(Ipv6Addr::LOCALHOST.into()),
    }
    addr
}

#[cfg(test)]
mod tests {
    //! The guesses.

    use super::guess;

    #[test]
    fn everywhere_is_loopback_and_all_else_itself() {
        for (listens, reached) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.7:8080", "192.0.2.7:8080"),
        ] {
            assert_eq!(guess(listens.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
