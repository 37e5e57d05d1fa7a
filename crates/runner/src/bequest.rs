//! The store goes to another process while this one still serves clients.
//!
//! A planned stop ([`crate::drain`]) may take as long as its grace period. A replacement must not,
//! as nobody is accepted meanwhile, so it comes in two steps:
//!
//! - [`Runner::rest`]: nothing is taken from the queue any more, everything else goes on, and what
//!   runs may end: [`Runner::settled`].
//! - [`Runner::bequeath`]: held clients are held to the end, as there will be no tickets here; whoever
//!   uses the store just now is waited for. Then [`Runner::drain`] hands back what still runs.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use crate::{Runner, Shared};

/// How often it is looked whether everything has ended: a wait of its own for each attempt would
/// cost every attempt something, and a replacement is rare.
const LOOK: Duration = Duration::from_millis(2);

/// Somebody who may need the store before they are done; counted until dropped.
#[derive(Debug)]
pub struct Visit<'a>(&'a AtomicUsize);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Runner {
    /// Counts somebody who may need the store before they are done.
    pub fn visit(&self) -> Visit<'_> {
        self.shared.visits.fetch_add(1, SeqCst);
        Visit(&self.shared.visits)
    }

    /// Takes nothing from the queue any more: new jobs are accepted and wait.
    pub fn rest(&self) {
        self.shared.resting.send_replace(true);
    }

    /// Goes on after [`Runner::rest`].
    pub fn resume(&self) {
        self.shared.resting.send_replace(false);
        self.shared.tell_on();
        let routes = self.routes();
        routes
            .iter()
            .for_each(|route| self.shared.dispatch.ring(&route.name));
    }

    /// Waits until no attempt of a job runs, at most `grace`. Says how many still do. Cancel safe.
    pub async fn settled(&self, grace: Duration) -> usize {
        let none = || self.shared.running.len() == 0;
        _ = tokio::time::timeout(grace, until(none)).await;
        self.shared.running.len()
    }

    /// From now on no client gets a ticket, and who waits for a job is answered. Returns when nobody
    /// is about to need the store, or after `patience`. Cancel safe.
    pub async fn bequeath(&self, patience: Duration) {
        self.shared.bequeathed.cancel();
        self.call_last();
        let none = || self.shared.visits.load(SeqCst) == 0;
        _ = tokio::time::timeout(patience, until(none)).await;
    }

    /// Whether the store goes, or has gone, to another process.
    pub fn is_bequeathed(&self) -> bool {
        self.shared.bequeathed.is_cancelled()
    }
}

impl Shared {
    pub(crate) fn is_resting(&self) -> bool {
        *self.resting.borrow()
    }
}

async fn until(fact: impl Fn() -> bool) {
    let mut look = tokio::time::interval(LOOK);
    while !fact() {
        look.tick().await;
    }
}
