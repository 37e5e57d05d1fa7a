//! Want of room, as the operator is told of it: of changes, and of bodies in files.
//!
//! They are not the same. Where a change has no room, only what makes some is written until there is
//! enough. Where a body has none, its file is deleted again, and smaller ones may still fit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_telemetry::StoreMetrics;
use tokio::time::Instant;

use crate::reserve::FREE_MIN;

/// How often refused bodies are logged at most.
const BODIES_LOGGED: Duration = Duration::from_secs(60);

/// Whether the store lacks room, and why that is said.
#[derive(Debug)]
pub(crate) struct Lack {
    state: Mutex<State>,
    metrics: StoreMetrics,
}

#[derive(Debug, Default)]
struct State {
    /// Why changes have no room.
    changes: Option<String>,
    /// Why bodies have none.
    bodies: Option<String>,
    /// When refused bodies were logged last.
    logged: Option<Instant>,
    /// Bodies that were refused since, and not logged.
    unlogged: u64,
}

/// What lacks room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lacking {
    pub(crate) changes: bool,
    pub(crate) bodies: bool,
}

impl Lack {
    pub(crate) fn new(metrics: StoreMetrics) -> Self {
        Self {
            state: Mutex::default(),
            metrics,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A change had no room. Said once.
    pub(crate) fn raise(&self, why: &str) {
        let mut state = self.state();
        if state.changes.is_none() {
            tracing::error!(
                why,
                free_bytes_needed = FREE_MIN,
                "the store is full; until there is room, jobs can only be forgotten or cancelled"
            );
            self.metrics.full(true);
            state.changes = Some(why.to_owned());
        }
    }

    /// A body of which `len` bytes had come had no room on a disk that has `free` bytes without it.
    ///
    /// With little left that is a full disk, however small the next body is: said once. With more
    /// the body was too large, which is said now and then. Both are counted.
    pub(crate) fn body(&self, len: u64, free: u64) {
        self.metrics.body_refused();
        let mut state = self.state();
        if free >= FREE_MIN {
            return state.log_large(len, free);
        }
        if state.bodies.is_none() {
            let why = format!("{free} bytes of its disk are free, too few for a body");
            tracing::error!(
                why,
                free_bytes_needed = FREE_MIN,
                "the store is full for bodies; until there is room, requests with large ones are \
                 refused, and large answers are not kept"
            );
            self.metrics.full(true);
            state.bodies = Some(why);
        }
    }

    /// There is room for changes again.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        if state.changes.take().is_some() {
            self.cleared(&state);
        }
    }

    /// There is room for bodies again.
    pub(crate) fn clear_bodies(&self) {
        let mut state = self.state();
        if state.bodies.take().is_some() {
            self.cleared(&state);
        }
    }

    /// Said once, when neither lacks any.
    fn cleared(&self, state: &State) {
        if state.why().is_none() {
            tracing::info!("the store has room again");
            self.metrics.full(false);
        }
    }

    /// What lacks room.
    pub(crate) fn lacking(&self) -> Lacking {
        let state = self.state();
        Lacking {
            changes: state.changes.is_some(),
            bodies: state.bodies.is_some(),
        }
    }

    /// Why there is no room for changes, if there is none.
    pub(crate) fn of_changes(&self) -> Option<String> {
        self.state().changes.clone()
    }

    /// Why there is no room, if there is none, and how much is needed, for an operator.
    pub(crate) fn reason(&self) -> Option<String> {
        let state = self.state();
        let needed = FREE_MIN >> 20;
        let why = state.why()?;
        Some(format!("{why}; free at least {needed} MiB of the disk"))
    }
}

impl State {
    fn why(&self) -> Option<&str> {
        self.changes.as_deref().or(self.bodies.as_deref())
    }

    /// Logs a body too large for the room there is, unless another was logged just now.
    fn log_large(&mut self, len: u64, free: u64) {
        self.unlogged += 1;
        let now = Instant::now();
        let is_due = |logged: Instant| now.duration_since(logged) >= BODIES_LOGGED;
        if self.logged.is_none_or(is_due) {
            tracing::warn!(
                body_bytes = len,
                free_bytes = free,
                refused = self.unlogged,
                "the disk of the store has too little room for a body this large; its request was \
                 refused, or its answer not kept"
            );
            self.logged = Some(now);
            self.unlogged = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_too_large_for_the_room_there_is_does_not_make_the_store_full() {
        let lack = Lack::new(StoreMetrics::default());
        lack.body(3 * FREE_MIN, FREE_MIN);
        assert_eq!(lack.reason(), None);
        lack.body(FREE_MIN, FREE_MIN - 1);
        assert!(lack.reason().is_some());
        // Changes are taken on.
        assert_eq!(lack.of_changes(), None);
        lack.clear_bodies();
        assert_eq!(lack.reason(), None);
    }

    #[test]
    fn what_one_lacks_is_not_cleared_with_the_other() {
        let lack = Lack::new(StoreMetrics::default());
        lack.body(1, 0);
        lack.raise("no page");
        assert_eq!(
            lack.reason().as_deref(),
            Some("no page; free at least 2 MiB of the disk")
        );
        lack.clear();
        let bodies_only = Lacking {
            changes: false,
            bodies: true,
        };
        assert_eq!(lack.lacking(), bodies_only);
        lack.raise("no page");
        lack.clear_bodies();
        assert_eq!(lack.of_changes().as_deref(), Some("no page"));
    }

    #[tokio::test(start_paused = true)]
    async fn refused_bodies_are_logged_once_a_minute() {
        let lack = Lack::new(StoreMetrics::default());
        for _ in 0..3 {
            lack.body(1, FREE_MIN);
        }
        assert_eq!(lack.state().unlogged, 2);
        tokio::time::advance(BODIES_LOGGED).await;
        lack.body(1, FREE_MIN);
        assert_eq!(lack.state().unlogged, 0);
    }
}
