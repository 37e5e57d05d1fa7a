//! The one place that turns due jobs and permits into attempts.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_core::route::Route;
use raincheck_core::time::Timestamp;
use tokio::sync::Notify;

use crate::attempt::Attempt;
use crate::{LEASE, Permit, Shared};

/// Jobs leased in one look-up.
const BATCH: usize = 256;
/// How often every queue is looked at even if nothing rang: after a clock step backwards a due
/// time may have moved.
const ROUND: Duration = Duration::from_secs(10);

/// Says that a route's queue may have something to run.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<Rung>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Rung {
    now: HashSet<RouteName>,
    later: HashMap<RouteName, Timestamp>,
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Look at this queue now.
    pub(crate) fn ring(&self, route: &RouteName) {
        if !self.rung().now.contains(route) {
            self.rung().now.insert(route.clone());
        }
        self.notify.notify_one();
    }

    /// Look at this queue at `at`, or when it rings for another reason.
    pub(crate) fn ring_at(&self, route: &RouteName, at: Timestamp) {
        let mut rung = self.rung();
        let earliest = rung.later.entry(route.clone()).or_insert(at);
        *earliest = (*earliest).min(at);
        drop(rung);
        self.notify.notify_one();
    }

    /// The routes to look at, and when the next one will be.
    fn take(&self, now: Timestamp) -> (HashSet<RouteName>, Option<Timestamp>) {
        let mut rung = self.rung();
        let mut routes = std::mem::take(&mut rung.now);
        rung.later.retain(|route, at| {
            let due = *at <= now;
            if due {
                routes.insert(route.clone());
            }
            !due
        });
        (routes, rung.later.values().min().copied())
    }
}

/// Runs until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let now = shared.now();
        let (routes, next) = shared.dispatch.take(now);
        for name in routes {
            if shared.draining.is_cancelled() {
                return;
            }
            if let Some(route) = shared.routes.named(&name)
                && let Err(error) = shared.fill(route).await
            {
                tracing::error!(route = %name, %error, "a queue could not be read");
                shared.dispatch.ring_at(&name, now.after(Duration::from_secs(1)));
            }
        }
        let wait = next.map_or(ROUND, |at| at.since(now).clamp(Duration::from_millis(1), ROUND));
        tokio::select! {
            () = shared.dispatch.notify.notified() => {}
            () = shared.draining.cancelled() => return,
            () = tokio::time::sleep(wait) => {
                if wait == ROUND {
                    shared.routes.iter().for_each(|route| shared.dispatch.ring(&route.name));
                }
            }
        }
    }
}

impl Shared {
    /// Starts as many attempts of a route as there are due jobs and permits.
    async fn fill(self: &Arc<Self>, route: &Arc<Route>) -> Result<(), raincheck_store::Error> {
        loop {
            let mut permits: Vec<Permit> = Vec::new();
            if self.store.waiting(&route.name) == 0 {
                return Ok(());
            }
            while permits.len() < BATCH
                && let Some(permit) = self.permits.try_acquire_both(route)
            {
                permits.push(permit);
            }
            if permits.is_empty() {
                return Ok(());
            }
            let wanted = permits.len();
            let now = self.now();
            let until = now.after(LEASE);
            let leases = self.store.lease(route.name.clone(), now, wanted, until).await?;
            let got = leases.len();
            for (lease, permit) in leases.into_iter().zip(permits) {
                let attempt = Attempt { route: Arc::clone(route), permit };
                self.spawn_leased(attempt, lease.job);
            }
            if got < wanted {
                if let Some(at) = self.store.next_due(route.name.clone()).await? {
                    self.dispatch.ring_at(&route.name, at);
                }
                return Ok(());
            }
        }
    }
}
