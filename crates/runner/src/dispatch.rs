//! The one place that turns due jobs and permits into attempts.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_core::route::Route;
use tokio::time::Instant;

use crate::attempt::Attempt;
use crate::{LEASE, Permit, Shared};

/// Jobs leased in one look-up.
const BATCH: usize = 256;
/// How often every queue is looked at even if nothing rang: after a clock step backwards a due
/// time may have moved.
const ROUND: Duration = Duration::from_secs(10);
/// The wait before a queue that could not be read, or a job that could not begin, is tried again.
pub(crate) const AGAIN: Duration = Duration::from_secs(1);

/// Runs until the runner drains.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut round = Instant::now() + ROUND;
    loop {
        let now = shared.now();
        let (routes, next) = shared.dispatch.take(now);
        for name in routes {
            if shared.draining.is_cancelled() {
                return;
            }
            if shared.is_resting() {
                // Rung again when it goes on.
                continue;
            }
            if let Err(error) = shared.fill(&name).await {
                tracing::error!(route = %name, %error, "a queue could not be read");
                shared.dispatch.ring_at(&name, now.after(AGAIN));
            }
        }
        let wait = next.map_or(ROUND, |at| {
            at.since(now).clamp(Duration::from_millis(1), ROUND)
        });
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = shared.dispatch.wait() => {}
            () = tokio::time::sleep(wait) => {}
            () = tokio::time::sleep_until(round) => {}
        }
        if Instant::now() >= round {
            round = Instant::now() + ROUND;
            let routes = shared.routes.get();
            routes
                .iter()
                .for_each(|route| shared.dispatch.ring(&route.name));
        }
    }
}

impl Shared {
    /// Starts as many attempts of a route as there are due jobs and permits. The route is looked
    /// up anew for each batch: it may be another one now, or gone.
    async fn fill(self: &Arc<Self>, name: &RouteName) -> Result<(), raincheck_store::Error> {
        while self.store.waiting(name) > 0 && !self.draining.is_cancelled() && !self.is_resting() {
            let Some(route) = self.routes.named(name) else {
                self.homeless.notify_one();
                return Ok(());
            };
            let permits = self.take_permits(&route);
            if permits.is_empty() {
                return Ok(());
            }
            let wanted = permits.len();
            let now = self.now();
            let until = now.after(LEASE);
            let leases = self
                .store
                .lease(route.name.clone(), now, wanted, until)
                .await?;
            let got = leases.len();
            for (lease, permit) in leases.into_iter().zip(permits) {
                let attempt = Attempt {
                    route: Arc::clone(&route),
                    permit,
                };
                self.spawn_leased(attempt, lease.job);
            }
            if got < wanted {
                if let Some(at) = self.store.next_due(route.name.clone()).await? {
                    self.dispatch.ring_at(&route.name, at);
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// As many permits as can be had. With none, the queue is looked at when one is given back.
    fn take_permits(&self, route: &Route) -> Vec<Permit> {
        let wanted = usize::try_from(self.store.waiting(&route.name))
            .unwrap_or(BATCH)
            .min(BATCH);
        let mut permits = Vec::new();
        let mut starved = false;
        while permits.len() < wanted {
            if let Some(permit) = self.permits.try_acquire_both(route) {
                permits.push(permit);
            } else if permits.is_empty() && !starved {
                self.dispatch.starve(&route.name);
                starved = true;
            } else {
                break;
            }
        }
        permits
    }
}
