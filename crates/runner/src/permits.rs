//! How many exchanges may be in flight: per route, and in total for those the runner starts.

use std::collections::HashMap;
use std::sync::Arc;

use raincheck_core::id::RouteName;
use raincheck_core::route::{Route, RouteTable};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The right to have an exchange in flight; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    _route: Option<OwnedSemaphorePermit>,
    _total: Option<OwnedSemaphorePermit>,
}

/// All permits.
#[derive(Debug)]
pub(crate) struct Permits {
    routes: HashMap<RouteName, Arc<Semaphore>>,
    total: Arc<Semaphore>,
}

impl Permits {
    pub(crate) fn new(routes: &RouteTable, total: usize) -> Self {
        let of = |route: &Arc<Route>| {
            let permits = usize::try_from(route.concurrency).unwrap_or(usize::MAX);
            (route.name.clone(), Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))))
        };
        Self {
            routes: routes.iter().map(of).collect(),
            total: Arc::new(Semaphore::new(total.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// A permit of the route alone: for exchanges that a client waits for.
    pub(crate) async fn acquire(&self, route: &Route) -> Permit {
        let permit = match self.routes.get(&route.name) {
            Some(semaphore) => Arc::clone(semaphore).acquire_owned().await.ok(),
            None => None,
        };
        Permit { _route: permit, _total: None }
    }

    /// The same if there is one now.
    pub(crate) fn try_acquire(&self, route: &Route) -> Option<Permit> {
        let Some(semaphore) = self.routes.get(&route.name) else {
            return Some(Permit { _route: None, _total: None });
        };
        let permit = Arc::clone(semaphore).try_acquire_owned().ok()?;
        Some(Permit { _route: Some(permit), _total: None })
    }

    /// A permit of route and total: for attempts of queued jobs.
    pub(crate) fn try_acquire_both(&self, route: &Route) -> Option<Permit> {
        let total = Arc::clone(&self.total).try_acquire_owned().ok()?;
        let mut permit = self.try_acquire(route)?;
        permit._total = Some(total);
        Some(permit)
    }
}
