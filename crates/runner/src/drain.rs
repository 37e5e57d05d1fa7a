//! A planned stop: no new leases, time to finish, then the rest is handed back uncounted.

use std::time::Duration;

use crate::Runner;

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Attempts that were running when it began.
    pub running: usize,
    /// Attempts that had to be handed back.
    pub handed_back: usize,
}

/// How long attempts that are handed back may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(10);

impl Runner {
    /// Refuses new jobs and starts no more attempts. What runs goes on.
    pub fn begin_drain(&self) {
        self.shared.draining.cancel();
    }

    /// Resolves when shutdown begins.
    pub async fn drain_begun(&self) {
        self.shared.draining.cancelled().await;
    }

    /// Says that held clients should get their tickets now rather than be cut.
    pub fn call_last(&self) {
        self.shared.last_call.cancel();
    }

    /// Whether held clients should get their tickets now.
    pub fn is_last_call(&self) -> bool {
        self.shared.last_call.is_cancelled()
    }

    /// Resolves when held clients should get their tickets.
    pub async fn last_call(&self) {
        self.shared.last_call.cancelled().await;
    }

    /// Waits up to `grace` for running attempts, then hands the rest back. Call once clients are
    /// drained, as their requests may still become jobs. When it returns, nothing of the runner
    /// uses the store any more.
    ///
    /// Cancel-safe: a dropped call leaves the runner draining, and a second one goes on.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.begin_drain();
        let shared = &self.shared;
        let running = shared.running.len();
        shared.tasks.close();
        let mut handed_back = 0;
        if tokio::time::timeout(grace, shared.tasks.wait())
            .await
            .is_err()
        {
            handed_back = shared.running.len();
            shared.hand_back.cancel();
            if tokio::time::timeout(LAST_WORDS, shared.tasks.wait())
                .await
                .is_err()
            {
                tracing::error!(left = shared.running.len(), "attempts would not end");
            }
        }
        shared.stopped.cancel();
        shared.loops.close();
        if tokio::time::timeout(LAST_WORDS, shared.loops.wait())
            .await
            .is_err()
        {
            tracing::error!("a loop of the runner would not end");
        }
        shared.upstreams.drain();
        Drained {
            running,
            handed_back,
        }
    }
}
