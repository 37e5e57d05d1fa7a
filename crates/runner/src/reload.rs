//! The routes that hold, and others in their place without a stop.
//!
//! Whoever has a route keeps it: an exchange ends as it began. What begins later looks its route up
//! in the table of that moment: requests by what they ask for, queued jobs by its name.

use std::sync::{Arc, PoisonError, RwLock};

use raincheck_core::id::RouteName;
use raincheck_core::route::{Route, RouteTable};

use crate::Runner;

/// The table that holds now.
#[derive(Debug)]
pub(crate) struct Current(RwLock<Arc<RouteTable>>);

impl Current {
    pub(crate) fn new(routes: Arc<RouteTable>) -> Self {
        Self(RwLock::new(routes))
    }

    pub(crate) fn get(&self) -> Arc<RouteTable> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn named(&self, name: &RouteName) -> Option<Arc<Route>> {
        self.get().named(name).cloned()
    }
}

impl Runner {
    /// Changes how many attempts may be in flight over all routes. What is beyond it ends as it
    /// would have. Followed by [`Runner::reload`], which looks at every queue again.
    pub fn bound_attempts(&self, attempts: usize) {
        self.shared.permits.resize_total(attempts);
    }

    /// Replaces the routes in one step. Queued jobs run under the new ones; those whose route is
    /// not among them fail as `route-gone`.
    pub fn reload(&self, routes: RouteTable) {
        let shared = &self.shared;
        let routes = Arc::new(routes);
        let names: Vec<_> = routes.iter().map(|route| &route.name).collect();
        // Locked from the start, so that of two reloads at once one is the last in all of it; and
        // a route's permits and metrics are there before the route is.
        let mut current = shared
            .routes
            .0
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        shared.metrics.cover(names.iter().copied());
        shared.permits.resize(&routes);
        shared.upstreams.follow(&routes);
        *current = Arc::clone(&routes);
        drop(current);
        names.iter().for_each(|name| shared.dispatch.ring(name));
        shared.homeless.notify_one();
    }
}
