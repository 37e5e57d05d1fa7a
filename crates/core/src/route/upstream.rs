//! Where the work of a route is done: one HTTP server, or several that are alike.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The servers of a route.
#[derive(Debug, Clone, PartialEq)]
pub enum Backends {
    /// None: the route answers by itself.
    Nobody,
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
    /// When answers take a server out; none: never.
    pub ejection: Option<Ejection>,
    /// How servers are checked; none: they are not.
    pub health: Option<HealthCheck>,
    /// How long a server that is back takes to its full share; may be zero.
    pub slow_start: Duration,
}

/// When a server gets no requests for a while because of what came of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ejection {
    /// Failures in a row that eject it; at least 1.
    pub failures: u32,
    /// What is a failure.
    pub on: EjectOn,
    /// For how long at first; doubled with each ejection that follows another.
    pub time: Duration,
    /// For how long at most.
    pub max_time: Duration,
}

/// What counts as a failure of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EjectOn {
    /// No connection, or it broke before an answer.
    pub connect: bool,
    /// A timeout of the route passed.
    pub timeout: bool,
    /// It answered 500 to 599.
    pub server_error: bool,
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            on: EjectOn {
                connect: true,
                timeout: false,
                server_error: false,
            },
            time: Duration::from_secs(10),
            max_time: Duration::from_secs(5 * 60),
        }
    }
}

/// How a server is asked whether it can work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthCheck {
    /// The path and query of a GET.
    pub path: String,
    /// The time from one check to the next, give or take a tenth.
    pub interval: Duration,
    /// How long one may take, connecting included.
    pub timeout: Duration,
    /// Checks in a row that bring a server back; at least 1.
    pub healthy: u32,
    /// Checks in a row that take it out; at least 1.
    pub unhealthy: u32,
    /// Status codes that are good.
    pub status: RangeInclusive<u16>,
}

/// How long a server that is back takes to its full share, unless something else is said.
pub const SLOW_START: Duration = Duration::from_secs(10);

impl Group {
    /// Servers that share the work by their weights, ejected when they cannot be reached.
    pub fn new(name: impl Into<String>, members: Vec<Member>) -> Self {
        Self {
            name: name.into(),
            members,
            ejection: Some(Ejection::default()),
            health: None,
            slow_start: SLOW_START,
        }
    }
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
    /// How it is reached, where that is not the usual way.
    pub reach: Option<Arc<Reach>>,
}

/// How a server is reached.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Reach {
    /// A Unix socket, in place of host and port.
    pub socket: Option<PathBuf>,
    /// The version of HTTP.
    pub protocol: Protocol,
    /// A PEM file of the only certificates that are trusted.
    pub ca_file: Option<PathBuf>,
    /// PEM files of the certificate we show and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name that its certificate is for, where that is not the host.
    pub server_name: Option<String>,
    /// Connections at once (streams of HTTP/2 come on top); none: as many as usual
    /// ([`UPSTREAM_CONNECTIONS`](crate::limits::UPSTREAM_CONNECTIONS)).
    pub connections: Option<u32>,
    /// For how long a connection takes new requests; none: for ever.
    pub max_age: Option<Duration>,
}

/// The version of HTTP that a server is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    H1,
    /// HTTP/2: by ALPN over TLS, with prior knowledge without.
    H2,
    /// Over TLS the one that the server picks by ALPN, HTTP/2 if it can; HTTP/1.1 without TLS.
    Auto,
}

impl Backends {
    /// Every server, in the order of the config.
    pub fn upstreams(&self) -> impl Iterator<Item = &Upstream> {
        let (one, group) = match self {
            Self::Nobody => (None, None),
            Self::One(upstream) => (Some(upstream), None),
            Self::Group(group) => (None, Some(group)),
        };
        let members = group.into_iter().flat_map(|group| &group.members);
        one.into_iter()
            .chain(members.map(|member| &member.upstream))
    }

    /// What the servers are called together.
    pub fn name(&self) -> String {
        match self {
            Self::Nobody => String::new(),
            Self::One(upstream) => upstream.url(),
            Self::Group(group) => group.name.clone(),
        }
    }

    /// The group, where there is one.
    pub fn group(&self) -> Option<&Arc<Group>> {
        match self {
            Self::Nobody | Self::One(_) => None,
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
            reach: None,
        }
    }

    /// The version of HTTP that it is spoken to in.
    pub fn protocol(&self) -> Protocol {
        let reach = self.reach.as_ref();
        match reach.map_or(Protocol::H1, |reach| reach.protocol) {
            // There is nothing that could be agreed on.
            Protocol::Auto if self.scheme == Scheme::Http || self.socket().is_some() => {
                Protocol::H1
            }
            protocol => protocol,
        }
    }

    /// The Unix socket that it listens on.
    pub fn socket(&self) -> Option<&Path> {
        self.reach.as_ref()?.socket.as_deref()
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
        match self.socket() {
            Some(path) => format!("unix:{}", path.display()),
            None => format!("{}://{}", self.scheme.as_str(), self.authority()),
        }
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
