//! Several upstreams of one route: which one gets a request, and which one after it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

use http::Request;
use raincheck_core::outcome::Failure;
use raincheck_core::policy::balance::{Candidate, choose};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::{Group, Upstream};
use tokio::time::Instant;

use super::answer::Answer;
use super::body::WireBody;
use super::host::Host;
use super::pool::Upstreams;
use super::send::Refused;
use super::words;

/// The groups that have been used, by name.
#[derive(Default)]
pub(super) struct Groups(RwLock<HashMap<String, Arc<Balancer>>>);

/// The servers of one group and what is known of them.
pub(super) struct Balancer {
    servers: Vec<Arc<Server>>,
    turn: AtomicU64,
}

/// One server of a group.
pub(super) struct Server {
    host: Arc<Host>,
    weight: u32,
    outstanding: AtomicUsize,
}

/// A request in flight at a server; counted until dropped.
pub(super) struct Place(Arc<Server>);

impl Place {
    pub(super) fn taken(server: &Arc<Server>) -> Self {
        server.outstanding.fetch_add(1, Relaxed);
        Self(Arc::clone(server))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Relaxed);
    }
}

impl Groups {
    /// The balancer of a group; made where it is not there yet.
    pub(super) fn balancer(
        &self,
        group: &Group,
        host: impl Fn(&Upstream) -> Arc<Host>,
    ) -> Arc<Balancer> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(balancer) = known.get(&group.name) {
            return Arc::clone(balancer);
        }
        drop(known);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let balancer = known
            .entry(group.name.clone())
            .or_insert_with(|| Arc::new(Balancer::new(group, host)));
        Arc::clone(balancer)
    }
}

impl Balancer {
    fn new(group: &Group, host: impl Fn(&Upstream) -> Arc<Host>) -> Self {
        let server = |member: &raincheck_core::route::Member| {
            Arc::new(Server {
                host: host(&member.upstream),
                weight: member.weight,
                outstanding: AtomicUsize::new(0),
            })
        };
        Self {
            servers: group.members.iter().map(server).collect(),
            turn: AtomicU64::new(0),
        }
    }

    /// Sends a request to the best server, and to the next best where it did not get there. Once
    /// the time to connect is over, one server more is asked and no other.
    pub(super) async fn send(
        &self,
        pool: &Upstreams,
        mut request: Request<WireBody>,
        timeouts: Timeouts,
    ) -> Result<Answer, Failure> {
        let begun = Instant::now();
        let mut tried = Vec::new();
        let mut last = None;
        while let Some((index, server)) = self.choose(&tried) {
            let sent = pool.deliver(&server.host, request, timeouts, Some(server));
            match sent.await {
                Ok(answer) => return Ok(answer),
                Err(Refused::Failed(failure)) => return Err(failure),
                Err(Refused::Unsent(unsent)) => {
                    tried.push(index);
                    request = unsent.request;
                    last = Some(unsent.failure);
                }
            }
            if tried.len() > 1 && begun.elapsed() >= timeouts.connect {
                break;
            }
        }
        Err(last.unwrap_or_else(words::nobody))
    }

    /// The best server of those that were not tried.
    fn choose(&self, tried: &[usize]) -> Option<(usize, &Arc<Server>)> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let candidates = self.servers.iter().enumerate().map(|(index, server)| {
            let weight = if tried.contains(&index) {
                0
            } else {
                server.weight
            };
            Candidate {
                outstanding: server.outstanding.load(Relaxed),
                weight,
            }
        });
        let index = choose(candidates, turn)?;
        self.servers.get(index).map(|server| (index, server))
    }
}
