//! How many exchanges may be in flight: per route, and in total for those the runner starts; and
//! how many requests are on their way into a queue.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock};

use raincheck_core::id::RouteName;
use raincheck_core::route::{Route, RouteTable};
use tokio::sync::Semaphore;

use crate::bell::Bell;

/// The right to have an exchange in flight; given back when dropped.
#[derive(Debug)]
pub struct Permit {
    route: Option<Taken>,
    total: Option<Taken>,
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
    /// One entry for each route this process has had: one that is gone may have exchanges in
    /// flight, and may come back.
    routes: RwLock<HashMap<RouteName, Arc<Places>>>,
    total: Arc<Places>,
    bell: Arc<Bell>,
}

/// What one route, or all of them, have room for.
#[derive(Debug)]
struct Places {
    size: AtomicUsize,
    in_flight: Semaphore,
    /// Places that were taken away while somebody had them: so many are not given to the next.
    owed: AtomicUsize,
    arriving: AtomicU64,
}

/// One of these places; given back when dropped.
#[derive(Debug)]
struct Taken(Arc<Places>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.give(1);
    }
}

/// A request on its way into the queue; counted until dropped.
#[derive(Debug)]
pub(crate) struct Arriving(Option<Arc<Places>>);

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(places) = &self.0 {
            places.arriving.fetch_sub(1, SeqCst);
        }
    }
}

impl Places {
    fn new(size: usize) -> Self {
        Self {
            size: AtomicUsize::new(size),
            in_flight: Semaphore::new(size),
            owed: AtomicUsize::new(0),
            arriving: AtomicU64::new(0),
        }
    }

    /// Who is in flight stays so: fewer places than that are reached as they are given back.
    fn resize(&self, to: usize) {
        let from = self.size.swap(to, SeqCst);
        if let Some(more) = to.checked_sub(from) {
            self.give(more);
        } else {
            let fewer = from - to;
            self.owed.fetch_add(fewer, SeqCst);
            self.give(self.in_flight.forget_permits(fewer));
        }
    }

    /// Pays what is owed with these places; others may have the rest.
    fn give(&self, places: usize) {
        let mut rest = places;
        _ = self.owed.fetch_update(SeqCst, SeqCst, |owed| {
            rest = places.saturating_sub(owed);
            (owed > 0).then(|| owed.saturating_sub(places))
        });
        if rest > 0 {
            self.in_flight.add_permits(rest);
        }
    }
}

impl Permits {
    pub(crate) fn new(routes: &RouteTable, total: usize, bell: &Arc<Bell>) -> Self {
        let permits = Self {
            routes: RwLock::default(),
            total: Arc::new(Places::new(total.min(Semaphore::MAX_PERMITS))),
            bell: Arc::clone(bell),
        };
        permits.resize(routes);
        permits
    }

    /// As many permits for each of these routes as it says now.
    pub(crate) fn resize(&self, routes: &RouteTable) {
        let mut known = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        for route in routes.iter() {
            let size = usize::try_from(route.concurrency)
                .unwrap_or(usize::MAX)
                .min(Semaphore::MAX_PERMITS);
            match known.get(&route.name) {
                Some(places) => places.resize(size),
                None => _ = known.insert(route.name.clone(), Arc::new(Places::new(size))),
            }
        }
    }

    /// As many permits in total.
    pub(crate) fn resize_total(&self, total: usize) {
        self.total.resize(total.min(Semaphore::MAX_PERMITS));
    }

    fn places(&self, route: &Route) -> Option<Arc<Places>> {
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        routes.get(&route.name).cloned()
    }

    fn permit(&self, route: Option<Taken>) -> Permit {
        Permit {
            route,
            total: None,
            bell: Arc::clone(&self.bell),
        }
    }

    /// A permit of the route alone: for exchanges that a client waits for.
    pub(crate) async fn acquire(&self, route: &Route) -> Permit {
        let Some(places) = self.places(route) else {
            return self.permit(None);
        };
        if let Ok(place) = places.in_flight.acquire().await {
            place.forget();
        }
        self.permit(Some(Taken(places)))
    }

    /// The same if there is one now.
    pub(crate) fn try_acquire(&self, route: &Route) -> Option<Permit> {
        let Some(places) = self.places(route) else {
            return Some(self.permit(None));
        };
        places.in_flight.try_acquire().ok()?.forget();
        Some(self.permit(Some(Taken(places))))
    }

    /// A permit of route and total: for attempts of queued jobs. The route's is taken first, and
    /// given back in silence where there is none in total: nobody else can have missed it, as this
    /// route's own queue is looked at next.
    pub(crate) fn try_acquire_both(&self, route: &Route) -> Option<Permit> {
        let own = match self.places(route) {
            Some(places) => {
                places.in_flight.try_acquire().ok()?.forget();
                Some(Taken(places))
            }
            None => None,
        };
        self.total.in_flight.try_acquire().ok()?.forget();
        let mut permit = self.permit(own);
        permit.total = Some(Taken(Arc::clone(&self.total)));
        Some(permit)
    }

    /// Counts one more request on its way into the queue; says how many were before it.
    pub(crate) fn arrive(&self, route: &Route) -> (Arriving, u64) {
        let Some(places) = self.places(route) else {
            return (Arriving(None), 0);
        };
        let before = places.arriving.fetch_add(1, SeqCst);
        (Arriving(Some(places)), before)
    }
}
