//! Which networks a route serves.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks that are served and networks that are not. `deny` counts first; where `allow` names any
/// network, all others are denied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Served.
    pub allow: Vec<IpNet>,
    /// Not served.
    pub deny: Vec<IpNet>,
}

impl Access {
    /// Whether everybody is served.
    pub fn is_open(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Whether a client at this address is served. None: nobody knows where it is; it is served
    /// only where everybody is.
    pub fn allows(&self, client: Option<IpAddr>) -> bool {
        let Some(client) = client.map(|address| address.to_canonical()) else {
            return self.is_open();
        };
        let within = |networks: &[IpNet]| networks.iter().any(|net| net.contains(&client));
        !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }
}

/// A path as the most forgiving backend would read it: decoded, backslashes as slashes, without
/// parameters, dot segments and empty segments; none if it is that already. Routes match paths as
/// they are written; a route with rules must not be passed by with another spelling.
pub fn plain_path(path: &str) -> Option<String> {
    let odd = |byte: u8| matches!(byte, b'%' | b'\\' | b';');
    if !path.bytes().any(odd) && !path.contains("//") && !path.contains("/.") {
        return None;
    }
    let decoded = decode(path.as_bytes());
    let text = String::from_utf8_lossy(&decoded).replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for segment in text.split('/') {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let mut plain = format!("/{}", segments.join("/"));
    if text.ends_with('/') && plain.len() > 1 {
        plain.push('/');
    }
    (plain != path).then_some(plain)
}

/// Bytes with `%41` replaced by what it stands for.
fn decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let pair = (digit(bytes.get(at + 1)), digit(bytes.get(at + 2)));
        match pair {
            (Some(high), Some(low)) if *byte == b'%' => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}
