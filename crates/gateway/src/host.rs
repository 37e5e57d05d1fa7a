//! What a `Host` field or an authority may look like: a name or an address, and perhaps a port.
//!
//! Narrower than the grammar of RFC 3986: user information, percent-encoding and the punctuation
//! that a registered name could carry have no use in HTTP, and some backends split on them.

/// The parts of a valid host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    /// The name or address as written, brackets included.
    pub(crate) name: &'a str,
    /// The port, where one is given.
    pub(crate) port: Option<u16>,
}

impl<'a> Host<'a> {
    /// Reads a host, if it is one.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let name_len = match bytes.first()? {
            b'[' => memchr::memchr(b']', bytes)? + 1,
            _ => memchr::memchr(b':', bytes).unwrap_or(bytes.len()),
        };
        let (name, rest) = text.split_at_checked(name_len)?;
        let valid = match name.strip_prefix('[') {
            Some(address) => is_ipv6(address.strip_suffix(']')?),
            None => !name.is_empty() && name.bytes().all(is_name_byte),
        };
        let port = match rest.strip_prefix(':') {
            // A colon without a number is allowed, and means the default port.
            Some("") => None,
            Some(digits) => Some(port(digits)?),
            None if rest.is_empty() => None,
            None => return None,
        };
        valid.then_some(Self { name, port })
    }

    /// Whether two hosts are the same place for a scheme with this default port.
    pub(crate) fn agrees_with(&self, other: &Self, default_port: u16) -> bool {
        self.name.eq_ignore_ascii_case(other.name)
            && self.port.unwrap_or(default_port) == other.port.unwrap_or(default_port)
    }
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

fn is_ipv6(text: &str) -> bool {
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

fn port(digits: &str) -> Option<u16> {
    let plain = digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_addresses_and_ports_are_hosts() {
        let parse = |text: &'static str| Host::parse(text.as_bytes()).map(|h| (h.name, h.port));
        assert_eq!(parse("a"), Some(("a", None)));
        assert_eq!(
            parse("Shop.example:8080"),
            Some(("Shop.example", Some(8080)))
        );
        assert_eq!(parse("127.0.0.1:1"), Some(("127.0.0.1", Some(1))));
        assert_eq!(parse("[::1]:65535"), Some(("[::1]", Some(65535))));
        assert_eq!(parse("my_service:"), Some(("my_service", None)));
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            ":80",
            "a b",
            "a, b",
            "a/b",
            "u@a",
            "a:b",
            "a:99999",
            "a:+80",
            "a:080808",
            "a:1:2",
            "[::1",
            "[::1]x",
            "[a]",
            "[]",
            "::1",
            "a%00b",
            "a\tb",
            "a?b",
            "a#b",
            "é",
            "a\\b",
            "*",
            "[::1%25eth0]",
        ] {
            assert_eq!(Host::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn agreement_knows_case_and_default_ports() {
        let agree = |a: &str, b: &str| {
            let (a, b) = (Host::parse(a.as_bytes()), Host::parse(b.as_bytes()));
            a.unwrap().agrees_with(&b.unwrap(), 80)
        };
        assert!(agree("a", "A:80"));
        assert!(agree("a:", "a"));
        assert!(!agree("a:8080", "a"));
        assert!(!agree("a", "b"));
    }
}
