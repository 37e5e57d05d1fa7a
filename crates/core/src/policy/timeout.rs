//! Which deadline of an exchange is next, and what its passing means.

use std::time::Duration;

use crate::outcome::Cause;
use crate::route::Route;

/// The times within which an exchange must make its way. None: no bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Connecting, TLS included.
    pub connect: Duration,
    /// Silence of the upstream while it owes us bytes.
    pub idle: Option<Duration>,
    /// The whole exchange.
    pub total: Option<Duration>,
    /// What the passing of `total` means.
    pub total_means: Cause,
}

impl Timeouts {
    /// The route's own times, with what is left of a job's deadline.
    pub fn new(route: &Route, deadline_left: Option<Duration>) -> Self {
        let (total, total_means) = match (route.timeout, deadline_left) {
            (Some(timeout), Some(left)) if left < timeout => (Some(left), Cause::Deadline),
            (None, Some(left)) => (Some(left), Cause::Deadline),
            (timeout, _) => (timeout, Cause::Timeout),
        };
        Self {
            connect: route.connect_timeout,
            idle: route.idle_timeout,
            total,
            total_means,
        }
    }
}
