//! How long attempts of a route take, for the `Retry-After` of its tickets.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use raincheck_core::id::RouteName;

/// A moving average per route; a new duration counts an eighth.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    routes: Mutex<HashMap<RouteName, Duration>>,
}

impl Pace {
    pub(crate) fn took(&self, route: &RouteName, time: Duration) {
        let mut routes = self.routes.lock().unwrap_or_else(PoisonError::into_inner);
        match routes.get_mut(route) {
            Some(typical) => *typical = (*typical * 7 + time) / 8,
            None => _ = routes.insert(route.clone(), time),
        }
    }

    pub(crate) fn typical(&self, route: &RouteName) -> Option<Duration> {
        self.routes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(route)
            .copied()
    }
}
