//! Named moments: the test and the scripted backend tell each other that something happened, or
//! that something may go on.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};

use crate::bound::within;

/// Something that happens once; everybody who waits, now or later, goes on.
#[derive(Clone, Debug)]
pub struct Event {
    name: &'static str,
    fired: Arc<watch::Sender<bool>>,
}

impl Event {
    /// An event that has not happened yet. The name is shown when a wait fails.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            fired: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Lets it happen.
    pub fn fire(&self) {
        self.fired.send_replace(true);
    }

    /// Whether it has happened.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        *self.fired.borrow()
    }

    /// Waits for it, bounded: the test's side.
    pub async fn wait(&self) {
        within(self.name, self.passed()).await;
    }

    /// Waits for it without a bound: the backend's side, which ends with the test anyway.
    pub(crate) async fn passed(&self) {
        let mut fired = self.fired.subscribe();
        // The sender lives in `self`, so the channel cannot close while we wait.
        let _ = fired.wait_for(|fired| *fired).await;
    }
}

/// A turnstile: each step through it needs one opening.
#[derive(Clone, Debug)]
pub struct Gate {
    openings: Arc<Semaphore>,
}

impl Gate {
    /// A gate that lets nothing through yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            openings: Arc::new(Semaphore::new(0)),
        }
    }

    /// Lets `steps` more steps through.
    pub fn open(&self, steps: usize) {
        self.openings.add_permits(steps);
    }

    /// Goes through, using up one opening.
    pub(crate) async fn pass(&self) {
        if let Ok(permit) = self.openings.acquire().await {
            permit.forget();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
