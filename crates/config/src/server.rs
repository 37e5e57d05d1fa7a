//! The sections that stand once: server, admin, store, log, limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use raincheck_core::limits as bounds;

use crate::behind::Behind;
use crate::error::Findings;
use crate::listener;
use crate::plan::{
    Address, Admin, ClientAuth, Format, Level, Limits, Listener, Log, Peers, Server, Store,
};
use crate::route::rewrite::WrittenCors;
use crate::section::{Given, Section};
use crate::value::{
    Choice, Count, CountOrNone, HeadSize, Positive, PublicUrl, RateOrNone, UrlPath, Word,
};

/// `[server]` as written: what was given.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) listen: Option<Given<Vec<Listener>>>,
    pub(crate) behind: Option<Given<Choice<Behind>>>,
    jobs_path: Option<Given<UrlPath>>,
    public_url: Option<Given<PublicUrl>>,
    internal_url: Option<Given<PublicUrl>>,
    trusted_proxies: Option<Given<Peers>>,
    grace: Option<Given<Duration>>,
    header_timeout: Option<Given<Positive>>,
    handshake_timeout: Option<Given<Positive>>,
    tls_reload: Option<Given<Positive>>,
    body_timeout: Option<Given<Positive>>,
    write_timeout: Option<Given<Positive>>,
    keep_alive: Option<Given<Positive>>,
    max_connections: Option<Given<Count<usize>>>,
    max_connections_per_client: Option<Given<CountOrNone>>,
    max_request_head: Option<Given<HeadSize>>,
    pub(crate) cors: WrittenCors,
}

impl Written {
    /// Reads every key of the section.
    pub(crate) fn read(section: &Section<'_>, findings: &mut Findings) -> Self {
        Self {
            listen: listener::several(section, findings),
            behind: section.get("behind", findings),
            jobs_path: section.get("jobs_path", findings),
            public_url: section.get("public_url", findings),
            internal_url: section.get("internal_url", findings),
            trusted_proxies: section.get("trusted_proxies", findings),
            grace: section.get("grace", findings),
            header_timeout: section.get("header_timeout", findings),
            handshake_timeout: section.get("handshake_timeout", findings),
            tls_reload: section.get("tls_reload", findings),
            body_timeout: section.get("body_timeout", findings),
            write_timeout: section.get("write_timeout", findings),
            keep_alive: section.get("keep_alive", findings),
            max_connections: section.get("max_connections", findings),
            max_connections_per_client: section.get("max_connections_per_client", findings),
            max_request_head: section.get("max_request_head", findings),
            cors: WrittenCors::read(section, findings),
        }
    }

    /// What stands in front, if that was said.
    pub(crate) fn behind(&self) -> Option<Behind> {
        self.behind.as_ref().map(|given| given.value.0)
    }

    /// The listeners that hold.
    pub(crate) fn listen(&self) -> Vec<Listener> {
        let all = Listener::at(Address::Tcp(SocketAddr::from(([0, 0, 0, 0], 8080))));
        self.listen
            .as_ref()
            .map_or_else(|| vec![all], |given| given.value.clone())
    }

    /// What was given, and defaults for the rest.
    pub(crate) fn resolve(self) -> Server {
        let or = |given: Option<Given<Positive>>, default| given.map_or(default, |g| g.value.0);
        Server {
            listen: self.listen(),
            behind: self.behind(),
            jobs_path: self
                .jobs_path
                .map_or_else(|| "/jobs".to_owned(), |given| given.value.0),
            public_url: self.public_url.map(|given| given.value.0),
            internal_url: self.internal_url.map(|given| given.value.0),
            trusted_proxies: self
                .trusted_proxies
                .map(|given| given.value)
                .unwrap_or_default(),
            grace: self
                .grace
                .map_or(Duration::from_secs(30), |given| given.value),
            header_timeout: or(self.header_timeout, bounds::CLIENT_HEAD_TIMEOUT),
            handshake_timeout: or(self.handshake_timeout, bounds::CLIENT_HANDSHAKE_TIMEOUT),
            tls_reload: or(self.tls_reload, Duration::from_secs(10)),
            body_timeout: or(self.body_timeout, bounds::CLIENT_BODY_IDLE_TIMEOUT),
            write_timeout: or(self.write_timeout, bounds::CLIENT_WRITE_IDLE_TIMEOUT),
            keep_alive: or(self.keep_alive, bounds::CLIENT_KEEP_ALIVE_TIMEOUT),
            max_connections: self
                .max_connections
                .map_or(bounds::CONNECTIONS, |g| g.value.0),
            max_connections_per_client: self
                .max_connections_per_client
                .and_then(|given| given.value.0),
            max_request_head: self
                .max_request_head
                .map_or(bounds::REQUEST_HEAD_BYTES, |given| given.value.0),
            cors: self.cors.resolve(),
        }
    }
}

/// `admin.listen` as written.
pub(crate) type AdminListen = Option<Given<Option<Listener>>>;

/// `[admin]`.
pub(crate) fn admin(section: &Section<'_>, findings: &mut Findings) -> AdminListen {
    listener::one_or_off(section, findings)
}

/// The listener that holds.
pub(crate) fn admin_listen(given: &AdminListen) -> Option<Listener> {
    let own = SocketAddr::from(([127, 0, 0, 1], 9090));
    match given {
        Some(given) => given.value.clone(),
        None => Some(Listener::at(Address::Tcp(own))),
    }
}

/// `[admin]` as used.
pub(crate) fn resolve_admin(given: &AdminListen) -> Admin {
    Admin {
        listen: admin_listen(given),
    }
}

/// `[store]`.
pub(crate) fn store(section: &Section<'_>, findings: &mut Findings) -> Store {
    let path: Option<Given<PathBuf>> = section.get("path", findings);
    Store {
        path: path.map_or_else(|| PathBuf::from("raincheck-data"), |given| given.value),
    }
}

/// `[log]`.
pub(crate) fn log(section: &Section<'_>, findings: &mut Findings) -> Log {
    let level: Option<Given<Choice<Level>>> = section.get("level", findings);
    let format: Option<Given<Choice<Format>>> = section.get("format", findings);
    Log {
        level: level.map_or(Level::Info, |given| given.value.0),
        format: format.map_or(Format::Text, |given| given.value.0),
    }
}

/// `[limits]`.
pub(crate) fn limits(section: &Section<'_>, findings: &mut Findings) -> Limits {
    let concurrency: Option<Given<Count<u32>>> = section.get("concurrency", findings);
    let rate: Option<Given<RateOrNone>> = section.get("client_rate", findings);
    let requests: Option<Given<Count<usize>>> = section.get("requests", findings);
    Limits {
        concurrency: concurrency.map_or(10_000, |given| given.value.0),
        client_rate: rate.and_then(|given| given.value.0),
        requests: requests.map_or(bounds::REQUESTS, |given| given.value.0),
    }
}

impl Word for ClientAuth {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "required" => Some(Self::Required),
            "optional" => Some(Self::Optional),
            _ => None,
        }
    }
}

impl Word for Behind {
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|behind| behind.as_str() == word)
    }
}

impl Word for Level {
    fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Error,
            Self::Warn,
            Self::Info,
            Self::Debug,
            Self::Trace,
        ];
        all.into_iter().find(|level| level.as_str() == word)
    }
}

impl Word for Format {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}
