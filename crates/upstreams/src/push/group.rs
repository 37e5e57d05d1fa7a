//! Several upstreams of one route: which one gets a request, and which one after it.

mod check;
mod server;
pub(crate) mod show;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::Request;
use raincheck_core::outcome::{Cause, Failure};
use raincheck_core::policy::balance::{Candidate, choose};
use raincheck_core::policy::condition::Report;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::{Group, Upstream};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::answer::Answer;
use super::body::WireBody;
use super::host::Host;
use super::pool::{Pool, Upstreams};
use super::send::Refused;
use super::words;
use crate::client_time::Until;
pub(super) use server::{Place, Server};

/// The shortest and the longest `Retry-After` while no server can be used.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// The groups of the routes that hold, and those that were used besides, by name.
pub(super) struct Groups {
    balancers: RwLock<HashMap<String, Arc<Balancer>>>,
    /// What every condition counts its times from.
    begun: Instant,
}

/// The servers of one group and what is known of them.
pub(super) struct Balancer {
    group: Arc<Group>,
    /// As many as the group has members, in their order.
    servers: Vec<Arc<Server>>,
    turn: AtomicU64,
    begun: Instant,
    checks: Vec<AbortHandle>,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.checks.iter().for_each(AbortHandle::abort);
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            balancers: RwLock::default(),
            begun: Instant::now(),
        }
    }
}

impl Groups {
    /// The balancer of a group; made where it is not there yet, then without checks.
    pub(super) fn balancer(
        &self,
        group: &Arc<Group>,
        host: impl Fn(&Upstream) -> Arc<Host>,
    ) -> Arc<Balancer> {
        if let Some(balancer) = self.get(&group.name) {
            return balancer;
        }
        let mut known = self
            .balancers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let balancer = known
            .entry(group.name.clone())
            .or_insert_with(|| Arc::new(Balancer::new(group, None, self.begun, host)));
        Arc::clone(balancer)
    }

    fn get(&self, name: &str) -> Option<Arc<Balancer>> {
        let known = self
            .balancers
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned()
    }

    /// From now on these groups hold and no others. A server that stays keeps what is known of it.
    pub(super) fn follow<'a>(
        &self,
        groups: impl Iterator<Item = &'a Arc<Group>>,
        pool: &Pool,
        host: impl Fn(&Upstream) -> Arc<Host>,
    ) {
        let mut known = self
            .balancers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut old = std::mem::take(&mut *known);
        for group in groups {
            if known.contains_key(&group.name) {
                continue;
            }
            let was = old.remove(&group.name);
            let balancer = match was {
                Some(same) if same.group == *group && same.is_checked() => same,
                was => {
                    let mut made = Balancer::new(group, was.as_deref(), self.begun, &host);
                    made.start_checks(pool);
                    Arc::new(made)
                }
            };
            known.insert(group.name.clone(), balancer);
        }
    }
}

impl Balancer {
    fn new(
        group: &Arc<Group>,
        was: Option<&Self>,
        begun: Instant,
        host: impl Fn(&Upstream) -> Arc<Host>,
    ) -> Self {
        let servers = group.members.iter().map(|member| {
            let stays = was.and_then(|was| was.server(&member.upstream));
            let server = match stays {
                Some(server) => Arc::clone(server),
                None => Arc::new(Server::new(host(&member.upstream))),
            };
            if group.health.is_none() {
                server.unwatch();
            }
            server
        });
        Self {
            servers: servers.collect(),
            turn: AtomicU64::new(0),
            begun,
            checks: Vec::new(),
            group: Arc::clone(group),
        }
    }

    fn server(&self, upstream: &Upstream) -> Option<&Arc<Server>> {
        self.servers
            .iter()
            .find(|server| server.host.upstream == *upstream)
    }

    fn start_checks(&mut self, pool: &Pool) {
        let Some(health) = &self.group.health else {
            return;
        };
        for (place, server) in (0_u64..).zip(&self.servers) {
            let watch = check::run(
                pool.clone(),
                Arc::clone(server),
                place * 7,
                self.begun,
                &self.group,
                health,
            );
            self.checks.push(tokio::spawn(watch).abort_handle());
        }
    }

    fn is_checked(&self) -> bool {
        self.group.health.is_none() || !self.checks.is_empty()
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
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
            let attention = Attention {
                balancer: self,
                index,
                until: timeouts
                    .total
                    .and_then(|total| begun.checked_add(total))
                    .map(|at| Until::new(at, request.extensions())),
            };
            let sent = pool.deliver(&server.host, request, timeouts, Some(server));
            let sent = attention.pay(sent).await;
            match sent {
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
        Err(last.unwrap_or_else(|| words::nobody(&self.group.name)))
    }

    /// The best server of those that were not tried.
    fn choose(&self, tried: &[usize]) -> Option<(usize, &Arc<Server>)> {
        let turn = self.turn.fetch_add(1, Relaxed);
        let now = self.now();
        // Looked at once: others take and leave places meanwhile, and a choice that saw two states
        // of the same servers may find none.
        let candidates: Vec<_> = self
            .members()
            .enumerate()
            .map(|(index, (weight, server))| {
                let share = match tried.contains(&index) {
                    true => 0,
                    false => server.share(weight, self.group.slow_start, now),
                };
                Candidate {
                    outstanding: server.outstanding(),
                    weight: share,
                }
            })
            .collect();
        let index = choose(&candidates, turn)?;
        self.servers.get(index).map(|server| (index, server))
    }

    /// Each server with its weight.
    fn members(&self) -> impl Iterator<Item = (u32, &Arc<Server>)> {
        let weights = self.group.members.iter().map(|member| member.weight);
        weights.zip(&self.servers)
    }

    /// How long to wait, while no server can be used.
    pub(super) fn closed_for(&self) -> Option<Duration> {
        let now = self.now();
        if self.servers.iter().any(|server| server.is_usable(now)) {
            return None;
        }
        let ejected = self
            .servers
            .iter()
            .filter_map(|server| server.ejected_for(now));
        let checked = self.group.health.as_ref().map(|health| health.interval);
        let (shortest, longest) = RETRY_AFTER;
        let wait = ejected.chain(checked).min().unwrap_or(shortest);
        Some(wait.clamp(shortest, longest))
    }

    fn report(&self, index: usize, report: Report) {
        let (Some(policy), Some(server)) = (&self.group.ejection, self.servers.get(index)) else {
            return;
        };
        if report == Report::Good && server.is_settled() {
            return;
        }
        let now = self.now();
        let mut others = self
            .servers
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != index);
        let others = others.any(|(_, other)| other.is_usable(now));
        server.reported(report, policy, others, now, &self.group);
        if !others && !server.is_usable(now) {
            tracing::error!(upstream = self.group.name, "no server can be used");
        }
    }
}

/// Watches what comes of one request at one server. An exchange that is dropped because its time
/// is over counts as a timeout; the time that its client took is none of the server's.
struct Attention<'a> {
    balancer: &'a Balancer,
    index: usize,
    until: Option<Until>,
}

impl Attention<'_> {
    async fn pay(
        mut self,
        sent: impl Future<Output = Result<Answer, Refused>>,
    ) -> Result<Answer, Refused> {
        let sent = sent.await;
        self.until = None;
        if let Some(report) = report_of(&sent) {
            self.balancer.report(self.index, report);
        }
        sent
    }
}

impl Drop for Attention<'_> {
    fn drop(&mut self) {
        if self
            .until
            .as_ref()
            .is_some_and(|until| until.later().is_none())
        {
            self.balancer.report(self.index, Report::Timeout);
        }
    }
}

/// What the end of a request says of its server; nothing, where the end was ours.
fn report_of(sent: &Result<Answer, Refused>) -> Option<Report> {
    let failure = match sent {
        Ok(answer) if answer.head.status.is_server_error() => return Some(Report::ServerError),
        Ok(_) => return Some(Report::Good),
        Err(Refused::Unsent(unsent)) if unsent.failure.cause == Cause::Connect => {
            return Some(Report::Unreached);
        }
        // It was there, and had no room for one more or was closing a connection.
        Err(Refused::Unsent(_)) => return None,
        Err(Refused::Failed(failure)) => failure,
    };
    match failure.cause {
        Cause::Connect => Some(Report::Unreached),
        Cause::Broken => Some(Report::Broken),
        Cause::Timeout => Some(Report::Timeout),
        Cause::NoUpstream
        | Cause::Busy
        | Cause::Deadline
        | Cause::TooLarge
        | Cause::Storage
        | Cause::Damaged
        | Cause::Cancelled
        | Cause::Drained => None,
    }
}
