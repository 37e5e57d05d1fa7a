//! How many exchanges may be in flight: per route, and in total for those the runner starts; and
//! how many requests are on their way into a queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use raincheck_core::id::RouteName;
use raincheck_core::route::{Route, RouteTable};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::bell::Bell;

/// The right to have an exchange in flight; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    route: Option<OwnedSemaphorePermit>,
    total: Option<OwnedSemaphorePermit>,
    bell: Arc<Bell>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        drop(self.route.take());
        drop(self.total.take());
        self.bell.freed();
    }
}

/// All permits.
#[derive(Debug)]
pub(crate) struct Permits {
    routes: HashMap<RouteName, Places>,
    total: Arc<Semaphore>,
    bell: Arc<Bell>,
}

/// What one route has room for.
#[derive(Debug)]
struct Places {
    in_flight: Arc<Semaphore>,
    arriving: Arc<AtomicU64>,
}

/// A request on its way into the queue; counted until dropped.
#[derive(Debug)]
pub(crate) struct Arriving(Option<Arc<AtomicU64>>);

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(arriving) = &self.0 {
            arriving.fetch_sub(1, SeqCst);
        }
    }
}

impl Permits {
    pub(crate) fn new(routes: &RouteTable, total: usize, bell: &Arc<Bell>) -> Self {
        let of = |route: &Arc<Route>| {
            let permits = usize::try_from(route.concurrency).unwrap_or(usize::MAX);
            let in_flight = Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
            (
                route.name.clone(),
                Places {
                    in_flight,
                    arriving: Arc::default(),
                },
            )
        };
        Self {
            routes: routes.iter().map(of).collect(),
            total: Arc::new(Semaphore::new(total.min(Semaphore::MAX_PERMITS))),
            bell: Arc::clone(bell),
        }
    }

    fn permit(&self, route: Option<OwnedSemaphorePermit>) -> Permit {
        Permit {
            route,
            total: None,
            bell: Arc::clone(&self.bell),
        }
    }

    /// A permit of the route alone: for exchanges that a client waits for.
    pub(crate) async fn acquire(&self, route: &Route) -> Permit {
        match self.routes.get(&route.name) {
            Some(places) => self.permit(Arc::clone(&places.in_flight).acquire_owned().await.ok()),
            None => self.permit(None),
        }
    }

    /// The same if there is one now.
    pub(crate) fn try_acquire(&self, route: &Route) -> Option<Permit> {
        match self.routes.get(&route.name) {
            Some(places) => {
                let permit = Arc::clone(&places.in_flight).try_acquire_owned().ok()?;
                Some(self.permit(Some(permit)))
            }
            None => Some(self.permit(None)),
        }
    }

    /// A permit of route and total: for attempts of queued jobs. The route's is taken first, and
    /// given back in silence where there is none in total: nobody else can have missed it, as this
    /// route's own queue is looked at next.
    pub(crate) fn try_acquire_both(&self, route: &Route) -> Option<Permit> {
        let own = match self.routes.get(&route.name) {
            Some(places) => Some(Arc::clone(&places.in_flight).try_acquire_owned().ok()?),
            None => None,
        };
        let total = Arc::clone(&self.total).try_acquire_owned().ok()?;
        let mut permit = self.permit(own);
        permit.total = Some(total);
        Some(permit)
    }

    /// Counts one more request on its way into the queue; says how many were before it.
    pub(crate) fn arrive(&self, route: &Route) -> (Arriving, u64) {
        let Some(places) = self.routes.get(&route.name) else {
            return (Arriving(None), 0);
        };
        let before = places.arriving.fetch_add(1, SeqCst);
        (Arriving(Some(Arc::clone(&places.arriving))), before)
    }
}
