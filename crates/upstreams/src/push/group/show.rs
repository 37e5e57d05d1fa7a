//! The servers of all groups as they are, for metrics and operators.

use std::sync::PoisonError;
use std::time::Duration;

use super::{Balancer, Groups};

/// A server of a group as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerState {
    /// The group's name.
    pub upstream: String,
    /// The server's URL.
    pub server: String,
    /// Its share beside the others'.
    pub weight: u32,
    /// Its requests in flight.
    pub outstanding: usize,
    /// Whether it may get requests.
    pub usable: bool,
    /// How long it stays ejected, if it is.
    pub ejected_for: Option<Duration>,
    /// Whether its health checks keep it out.
    pub unhealthy: bool,
    /// What its last check complained of, if it failed.
    pub complaint: Option<String>,
    /// How often it was ejected.
    pub ejections: u64,
}

impl Groups {
    /// Every server of every group, by the groups' names.
    pub(in crate::push) fn states(&self) -> Vec<ServerState> {
        let known = self
            .balancers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let mut states: Vec<_> = known.values().flat_map(|one| one.states()).collect();
        states.sort_by(|one, other| one.upstream.cmp(&other.upstream));
        states
    }
}

impl Balancer {
    fn states(&self) -> impl Iterator<Item = ServerState> {
        let now = self.now();
        self.members().map(move |(weight, server)| {
            let condition = server.condition();
            ServerState {
                upstream: self.group.name.clone(),
                server: server.host.upstream.url(),
                weight,
                outstanding: server.outstanding(),
                usable: condition.is_usable(now),
                ejected_for: condition.ejected_for(now),
                unhealthy: condition.is_unhealthy(),
                complaint: server.complaint(),
                ejections: server.ejections(),
            }
        })
    }
}
