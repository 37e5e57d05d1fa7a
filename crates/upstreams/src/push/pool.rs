//! The pool of connections, one stack per upstream.

use std::sync::Arc;

use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;

use super::answer::Answer;
use super::body::OutBody;
use super::options::{Error, Options};

/// Connections to all upstreams. A clone is another handle on the same pool.
#[derive(Clone, Debug)]
pub struct Upstreams(Arc<Options>);

impl Upstreams {
    /// A pool without connections.
    ///
    /// # Errors
    ///
    /// When the extra CA file cannot be used.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self(Arc::new(options)))
    }

    /// Sends one request and returns when the response head is there. The request goes out as it
    /// is, as HTTP/1.1: its URI is path and query, its fields are complete, `host` among them.
    /// `timeouts.connect` and `timeouts.idle` are kept here, the total is the caller's.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that was used, if any.
    ///
    /// # Errors
    ///
    /// `seen` is `No` only when not a byte of the request left us.
    pub async fn send(
        &self,
        upstream: &Upstream,
        _request: http::Request<OutBody>,
        _timeouts: Timeouts,
    ) -> Result<Answer, Failure> {
        Err(Failure {
            cause: Cause::Connect,
            seen: Seen::No,
            detail: format!("{} cannot be reached yet", upstream.authority()),
        })
    }

    /// Closes the idle connections. Exchanges in flight go on.
    pub fn drain(&self) {}
}
