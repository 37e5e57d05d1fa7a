//! What the data plane is told from outside: public URL, who is trusted, how long clients may take.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::limits;
use raincheck_core::rewrite::Cors;

use crate::trusted::Trusted;

/// Options of the data plane.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where job URLs begin: a path such as `/jobs`.
    pub jobs_path: String,
    /// Scheme and host to put before it; none: links are relative.
    pub public_url: Option<String>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Trusted,
    /// How long a client may send nothing while it owes us request body bytes.
    pub body_idle_timeout: Duration,
    /// Requests in flight at most, over all routes; beyond it they are shed.
    pub requests_max: usize,
    /// What browsers on other origins may do with the job API; none: nothing.
    pub cors: Option<Arc<Cors>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs_path: "/jobs".to_owned(),
            public_url: None,
            trusted_proxies: Trusted::default(),
            body_idle_timeout: limits::CLIENT_BODY_IDLE_TIMEOUT,
            requests_max: limits::REQUESTS,
            cors: None,
        }
    }
}
