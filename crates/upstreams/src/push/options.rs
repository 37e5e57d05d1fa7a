//! What can be set about the pool, and what can be wrong with it.

use std::path::PathBuf;
use std::time::Duration;

use raincheck_core::limits;

/// How connections to upstreams are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Idle connections kept per upstream; beyond it the oldest is closed.
    pub idle_per_upstream: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Exchanges in flight per upstream, and so connections; further ones wait, as long as
    /// connecting may take. None: no limit.
    pub connections_per_upstream: Option<usize>,
    /// For how long a connection takes new exchanges; none: for ever.
    pub connection_age: Option<Duration>,
    /// A PEM file of certificates that are trusted besides the system's.
    pub extra_ca_file: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_per_upstream: limits::UPSTREAM_IDLE_CONNECTIONS,
            idle_timeout: limits::UPSTREAM_IDLE_TIMEOUT,
            connections_per_upstream: Some(limits::UPSTREAM_CONNECTIONS),
            connection_age: Some(limits::UPSTREAM_CONNECTION_AGE),
            extra_ca_file: None,
        }
    }
}

/// Why the pool cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of extra certificates cannot be read.
    #[error("cannot read the CA file {}: {source}", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The file of extra certificates holds none.
    #[error("the CA file {} holds no certificate that can be used", path.display())]
    CaFileEmpty {
        /// Which file.
        path: PathBuf,
    },
}
