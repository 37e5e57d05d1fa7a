//! Says which queues may have something to run, now, later, or once a permit is free.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::RouteName;
use raincheck_core::time::Timestamp;
use tokio::sync::Notify;

/// Wakes the dispatcher.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<Rung>,
    /// Whether a route waits for a permit: all that giving one back has to look at.
    any_starved: AtomicBool,
    notify: Notify,
}

/// In the order of their names, so that the same history wakes the same queues in the same order.
#[derive(Debug, Default)]
struct Rung {
    now: BTreeSet<RouteName>,
    later: BTreeMap<RouteName, Timestamp>,
    starved: BTreeSet<RouteName>,
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Look at this queue now.
    pub(crate) fn ring(&self, route: &RouteName) {
        let mut rung = self.rung();
        if !rung.now.contains(route) {
            rung.now.insert(route.clone());
        }
        drop(rung);
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

    /// Look at this queue when a permit is given back. Try once more to get one after this: it may
    /// have been given back before.
    pub(crate) fn starve(&self, route: &RouteName) {
        let mut rung = self.rung();
        if !rung.starved.contains(route) {
            rung.starved.insert(route.clone());
        }
        self.any_starved.store(true, Ordering::Relaxed);
        drop(rung);
        // Pairs with the one in `freed`: either we see the permit or its giver sees us.
        fence(Ordering::SeqCst);
    }

    /// A permit was given back.
    pub(crate) fn freed(&self) {
        fence(Ordering::SeqCst);
        if !self.any_starved.load(Ordering::Relaxed) {
            return;
        }
        let mut guard = self.rung();
        let rung = &mut *guard;
        rung.now.append(&mut rung.starved);
        self.any_starved.store(false, Ordering::Relaxed);
        drop(guard);
        self.notify.notify_one();
    }

    /// Resolves when something rang since the last call. Cancel-safe.
    pub(crate) async fn wait(&self) {
        self.notify.notified().await;
    }

    /// The routes to look at, and when the next one will be.
    pub(crate) fn take(&self, now: Timestamp) -> (BTreeSet<RouteName>, Option<Timestamp>) {
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
