//! Where the work of a route is done: one HTTP server, or several that are alike.

use std::fmt;
use std::sync::Arc;

/// The servers of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum Backends {
    /// One server that nobody watches.
    One(Upstream),
    /// Several, or one that is watched: which one gets a request is decided for each.
    Group(Arc<Group>),
}

/// Servers of which each can do the same work.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What it is called in metrics, logs and on the admin listener; one group for each name.
    pub name: String,
    /// The servers: 1 to [`UPSTREAM_SERVERS`](crate::limits::UPSTREAM_SERVERS), no two alike.
    pub members: Vec<Member>,
}

/// A server of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The server.
    pub upstream: Upstream,
    /// Its share of the work, beside the shares of the others; at least 1.
    pub weight: u32,
}

/// An HTTP server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Whether TLS is spoken.
    pub scheme: Scheme,
    /// The host name or address as written, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Backends {
    /// Every server, in the order of the config.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        let (one, group) = match self {
            Self::One(upstream) => (Some(upstream), None),
            Self::Group(group) => (None, Some(group)),
        };
        let members = group.into_iter().flat_map(|group| &group.members);
        one.into_iter()
            .chain(members.map(|member| &member.upstream))
    }

    /// The group, where there is one.
    pub fn group(&self) -> Option<&Arc<Group>> {
        match self {
            Self::One(_) => None,
            Self::Group(group) => Some(group),
        }
    }
}

impl fmt::Display for Backends {
    /// Every URL, separated by commas.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, upstream) in self.upstreams().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            write!(f, "{comma}{}", upstream.url())?;
        }
        Ok(())
    }
}

impl From<Upstream> for Backends {
    fn from(upstream: Upstream) -> Self {
        Self::One(upstream)
    }
}

impl Upstream {
    /// A server that is reached in the usual way.
    pub fn new(scheme: Scheme, host: impl Into<String>, port: u16) -> Self {
        Self {
            scheme,
            host: host.into(),
            port,
        }
    }

    /// `host:port` as it stands in a URL, without the port where it is the scheme's own.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        if self.port == self.scheme.port() {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// As written in a config.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.authority())
    }
}

/// Cleartext or TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http://`
    Http,
    /// `https://`
    Https,
}

impl Scheme {
    /// The port when none is written.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
