//! Where a URL that a caller named leads, read strictly: what is checked here is what is dialled.
//!
//! A spelling that two parsers could read in two ways is refused, not understood: credentials,
//! backslashes, percent signs and other than ASCII in a host, and numbers in any form but four
//! decimal bytes (`http://2130706433/`, `0x7f.1`). [`rules`] says which targets may be called.

mod address;
mod rules;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::Uri;
use sha2::{Digest, Sha256};

pub use address::is_public;
pub use rules::{Denied, Place, PlaceError, Rules};

use crate::limits::CALLBACK_URL_BYTES;
use crate::route::Scheme;

/// A URL that may be posted to, as far as its text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// The machine.
    pub host: Host,
    /// The port; not 0.
    pub port: u16,
    /// The whole URL.
    pub uri: Uri,
}

/// A machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name in lower case, without the dot at its end.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Why a text is no URL that can be called. Each says what a caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Too long.
    #[error("it is longer than {CALLBACK_URL_BYTES} bytes")]
    Long,
    /// A character that a URL cannot have.
    #[error("it has a character that a URL cannot have; percent-encode it")]
    Character,
    /// Not a URL.
    #[error("it is not an absolute URL such as https://hooks.example.com/path")]
    Form,
    /// Another scheme.
    #[error("its scheme is neither https nor http")]
    Scheme,
    /// User and password in it.
    #[error("it has credentials before the host, which are not sent")]
    Credentials,
    /// A fragment.
    #[error("it has a fragment (#), which is never sent")]
    Fragment,
    /// Not a host.
    #[error("its host is neither a name nor an address in its usual form")]
    Host,
    /// Not a port.
    #[error("its port is not a number from 1 to 65535")]
    Port,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// See [`BadTarget`].
    pub fn parse(text: &str) -> Result<Self, BadTarget> {
        if text.len() > CALLBACK_URL_BYTES {
            return Err(BadTarget::Long);
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !br#"\"<>^`{|}"#.contains(&byte);
        if !text.bytes().all(plain) {
            return Err(BadTarget::Character);
        }
        if text.contains('#') {
            return Err(BadTarget::Fragment);
        }
        let uri: Uri = text.parse().map_err(|_| BadTarget::Form)?;
        let scheme = match uri.scheme_str() {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            Some(_) => return Err(BadTarget::Scheme),
            None => return Err(BadTarget::Form),
        };
        let authority = uri.authority().ok_or(BadTarget::Form)?.as_str();
        if authority.contains('@') {
            return Err(BadTarget::Credentials);
        }
        let (host, port) = split(authority)?;
        let port = match port {
            None => scheme.port(),
            Some(digits) => number(digits).ok_or(BadTarget::Port)?,
        };
        Ok(Self {
            scheme,
            host: self::host(host)?,
            port,
            uri,
        })
    }

    /// `host:port`, as a `Host` field and a proxy want it; an address of version 6 in brackets.
    pub fn authority(&self) -> String {
        match &self.host {
            Host::Name(name) => format!("{name}:{}", self.port),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]:{}", self.port),
            Host::Address(address) => format!("{address}:{}", self.port),
        }
    }

    /// The URL as it may be shown to whoever knows the job: without its query, in which there is
    /// often a secret.
    pub fn shown(&self) -> String {
        let hides = if self.uri.query().is_some() {
            "?…"
        } else {
            ""
        };
        let authority = self.uri.authority().map_or("", |own| own.as_str());
        let scheme = self.uri.scheme_str().unwrap_or_default();
        format!("{scheme}://{authority}{}{hides}", self.uri.path())
    }

    /// A number that is the same for all targets on one host and port, and different for others.
    /// Cut from a cryptographic digest, so that nobody can make another's number.
    pub fn receiver(&self) -> u64 {
        let digest = Sha256::digest(self.authority());
        digest
            .iter()
            .take(8)
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

/// Host and port of an authority without credentials.
fn split(authority: &str) -> Result<(&str, Option<&str>), BadTarget> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']').ok_or(BadTarget::Host)? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end).ok_or(BadTarget::Host)?;
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(BadTarget::Host),
    }
}

fn number(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|port| *port != 0);
    port.filter(|_| plain)
}

fn host(text: &str) -> Result<Host, BadTarget> {
    if let Some(inner) = text.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or(BadTarget::Host)?;
        // A zone (`%eth0`) is none of an address, and so refused here.
        let address: Ipv6Addr = inner.parse().map_err(|_| BadTarget::Host)?;
        return Ok(Host::Address(IpAddr::V6(address)));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    if name.is_empty() || name.len() > 253 || !name.split('.').all(is_label) {
        return Err(BadTarget::Host);
    }
    let last = name.rsplit('.').next().unwrap_or(name);
    if is_number(last) {
        let address: Ipv4Addr = name.parse().map_err(|_| BadTarget::Host)?;
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    Ok(Host::Name(name.to_ascii_lowercase()))
}

fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len()) && label.bytes().all(plain)
}

/// Whether a name that ends in this label is an address to some parser (WHATWG: "ends in a
/// number").
fn is_number(label: &str) -> bool {
    let hex = label
        .strip_prefix("0x")
        .or_else(|| label.strip_prefix("0X"))
        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hex || label.bytes().all(|byte| byte.is_ascii_digit())
}
