//! Shapes as used. Whoever holds a [`Plan`] need not check anything.

use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use raincheck_core::callback::{MessageFormat, SigningKey};
use raincheck_core::egress::Rules;
use raincheck_core::rate::Rate;
use raincheck_core::rewrite::Cors;
use raincheck_core::route::Route;

use crate::behind::Behind;
use crate::error::Finding;

/// Everything a gateway needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The listener for clients.
    pub server: Server,
    /// The listener for operators.
    pub admin: Admin,
    /// Where jobs are kept.
    pub store: Store,
    /// What is logged.
    pub log: Log,
    /// Bounds over all routes.
    pub limits: Limits,
    /// How callers are told of their jobs' ends.
    pub webhooks: Webhooks,
    /// The routes in the order of the file: at least one, names unique, no two alike.
    pub routes: Vec<Route>,
    /// What is probably not as meant. To be shown at start.
    pub warnings: Vec<Finding>,
}

/// The listener for clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Where to listen: at least one, none twice.
    pub listen: Vec<Listener>,
    /// What stands in front; its preset is already in each route's hold.
    pub behind: Option<Behind>,
    /// Where the job API is: begins with a slash, does not end with one.
    pub jobs_path: String,
    /// How clients reach us: scheme, host and maybe a path, without a slash at the end.
    pub public_url: Option<String>,
    /// How upstreams reach this gateway, if that was said.
    pub internal_url: Option<String>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Peers,
    /// How long open exchanges may take at shutdown; may be zero.
    pub grace: Duration,
    /// How long a client may take to send a request head.
    pub header_timeout: Duration,
    /// How long a client may take for what comes before HTTP.
    pub handshake_timeout: Duration,
    /// How often certificate files are looked at.
    pub tls_reload: Duration,
    /// How long a client may send nothing while it owes us body bytes.
    pub body_timeout: Duration,
    /// How long a client may take nothing while we have bytes for it.
    pub write_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Open client connections at most; at least 1.
    pub max_connections: usize,
    /// Open connections of one client at most, over all listeners; none: as many as it likes.
    pub max_connections_per_client: Option<NonZeroUsize>,
    /// Bytes of a request line and its header section at most; 8 KiB to 1 MiB.
    pub max_request_head: usize,
    /// What browsers on other origins may do with the job API; none: nothing.
    pub cors: Option<Cors>,
}

/// The listener for operators.
#[derive(Debug, Clone, PartialEq)]
pub struct Admin {
    /// Where it listens; none: off.
    pub listen: Option<Listener>,
}

/// One socket that takes clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where it is.
    pub address: Address,
    /// The permissions of a Unix socket's file; nothing else has any.
    pub mode: u32,
    /// TLS; none: plain text.
    pub tls: Option<Tls>,
    /// Peers that send a PROXY protocol header, and the only ones that may connect; none: nobody
    /// sends one.
    pub proxy_protocol: Option<Peers>,
}

/// The TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// At least one; the first is for clients that name none of the others.
    pub certificates: Vec<Certificate>,
    /// Who may sign the certificates of clients; none: clients are not asked for one.
    pub client_ca: Option<PathBuf>,
    /// Whether a client must have one.
    pub client_auth: ClientAuth,
}

/// The files of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The certificate and what leads to a root, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
}

/// Whether a client must have a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// Where a socket is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket at a path, relative to the working directory.
    Unix(PathBuf),
    /// A socket that whoever starts the process passes on, by its name or number.
    Passed(String),
}

/// As written in a config.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(addr) => addr.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Passed(name) => write!(f, "fd:{name}"),
        }
    }
}

/// Peers that are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peers {
    /// Those of these networks.
    pub networks: Vec<IpNet>,
    /// Those that come through a Unix socket.
    pub unix: bool,
}

/// Where jobs are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    /// The data directory, relative to the working directory.
    pub path: PathBuf,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// From which level on.
    pub level: Level,
    /// In which shape.
    pub format: Format,
}

/// Bounds over all routes.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Attempts of jobs in flight at most, over all routes; at least 1.
    pub concurrency: u32,
    /// How often one client may ask, over all routes; none: as often as it likes.
    pub client_rate: Option<Rate>,
    /// Requests of clients in flight at most, over all routes; at least 1.
    pub requests: usize,
}

/// How callers are told of their jobs' ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhooks {
    /// What messages are signed with; none: none are sent.
    pub keys: Vec<SigningKey>,
    /// Their shape.
    pub format: MessageFormat,
    /// What may be called.
    pub rules: Rules,
    /// Host and port of a proxy through which they go.
    pub proxy: Option<(String, u16)>,
    /// A PEM file of certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a try may take.
    pub timeout: Duration,
    /// The waits before the second try and the later ones.
    pub schedule: Vec<Duration>,
    /// Tries in flight at most; at least 1.
    pub concurrency: usize,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What needs somebody.
    Error,
    /// What may need somebody.
    Warn,
    /// What happened.
    Info,
    /// How it happened.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    /// As written in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The shape of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
