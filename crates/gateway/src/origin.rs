//! Which client a request is from, also behind proxies that are trusted.

use std::net::IpAddr;

use http::HeaderMap;
use http::header::FORWARDED;

use crate::peer::Peer;
use crate::trusted::Trusted;

/// The client's address: that of the connection, or the last one in the forwarding fields that no
/// trusted proxy has. None where it is not told, as over a Unix socket.
pub(crate) fn client(headers: &HeaderMap, peer: &Peer, trusted: &Trusted) -> Option<IpAddr> {
    let direct = peer.addr.ip();
    if !trusted.contains(&peer.addr) {
        return direct;
    }
    let common = elements(headers, "x-forwarded-for", |element| Some(element.trim()));
    let hops = match common.is_empty() {
        false => common,
        true => elements(headers, FORWARDED.as_str(), for_of),
    };
    let mut nearest = direct;
    for hop in hops.iter().rev() {
        // What cannot be read hides everything before it.
        let Some(address) = hop else {
            break;
        };
        nearest = Some(*address);
        if !trusted
            .networks
            .iter()
            .any(|network| network.contains(address))
        {
            break;
        }
    }
    nearest
}

/// The addresses of a list field, in order; none for an element without one.
fn elements(
    headers: &HeaderMap,
    name: &str,
    node: impl Fn(&str) -> Option<&str>,
) -> Vec<Option<IpAddr>> {
    let values = headers.get_all(name).iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let elements = values.flat_map(|value| value.split(','));
    elements.map(|element| address(node(element)?)).collect()
}

/// The node behind `for=` (RFC 7239 section 4).
fn for_of(element: &str) -> Option<&str> {
    let mut pairs = element
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    Some(node.trim_matches('"'))
}

/// An address, perhaps in brackets or with a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some((address, _)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return address.parse().ok();
    }
    let plain = text.parse::<IpAddr>();
    let plain = plain.or_else(|_| text.split(':').next().unwrap_or_default().parse());
    plain.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(peer: [u8; 4], fields: &[(&'static str, &str)]) -> String {
        let addr = std::net::SocketAddr::from((peer, 1));
        let trusted = Trusted {
            networks: vec!["10.0.0.0/8".parse().unwrap()],
            unix: false,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let peer = Peer::new(addr, addr, 1);
        client(&headers, &peer, &trusted).unwrap().to_string()
    }

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let forged = ("x-forwarded-for", "192.0.2.1");
        assert_eq!(of([198, 51, 100, 7], &[forged]), "198.51.100.7");
        assert_eq!(of([10, 0, 0, 1], &[forged]), "192.0.2.1");
        let chain = ("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.0.0.9");
        assert_eq!(of([10, 0, 0, 1], &[chain]), "192.0.2.1");
        assert_eq!(of([10, 0, 0, 1], &[]), "10.0.0.1");
        let odd = ("x-forwarded-for", "192.0.2.1, unknown, 10.0.0.9");
        assert_eq!(of([10, 0, 0, 1], &[odd]), "10.0.0.9");
        let standard = (
            "forwarded",
            "for=1.1.1.1, for=\"[2001:db8::1]:80\";proto=https",
        );
        assert_eq!(of([10, 0, 0, 1], &[standard]), "2001:db8::1");
        assert_eq!(
            of([10, 0, 0, 1], &[("x-forwarded-for", "192.0.2.1:4711")]),
            "192.0.2.1"
        );
    }
}
