//! The switches of the model, for tests of the crates above: stall, fail, count, crash.

use std::sync::Arc;

use raincheck_core::id::JobId;

use super::{ModelStore, Shared};
use crate::Error;

/// While it lives, no commit of the store is carried out: all wait, in their order.
#[must_use = "commits go on when this is dropped"]
pub struct HeldCommits {
    shared: Arc<Shared>,
}

impl HeldCommits {
    /// Lets commits go on.
    pub fn release(self) {}
}

impl Drop for HeldCommits {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.holds -= 1;
        self.shared.work(&mut state);
    }
}

impl ModelStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes commits wait until what this returns is dropped.
    pub fn hold_commits(&self) -> HeldCommits {
        self.shared.state().holds += 1;
        HeldCommits {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Resolves when at least `count` commits are held back.
    pub async fn until_held(&self, count: usize) {
        let mut held = self.shared.held.subscribe();
        // The sender lives in `self`, so this can only end well.
        _ = held.wait_for(|held| *held >= count).await;
    }

    /// Makes every commit fail with `error` and change nothing, until [`Self::allow_commits`].
    pub fn fail_commits(&self, error: Error) {
        self.shared.state().commit_failure = Some(error);
    }

    /// Ends [`Self::fail_commits`].
    pub fn allow_commits(&self) {
        self.shared.state().commit_failure = None;
    }

    /// Makes every `append`, `finish` and `persist` of a body fail with `error`, until
    /// [`Self::allow_bodies`].
    pub fn fail_bodies(&self, error: Error) {
        self.shared.state().body_failure = Some(error);
    }

    /// Ends [`Self::fail_bodies`].
    pub fn allow_bodies(&self) {
        self.shared.state().body_failure = None;
    }

    /// Forgets this job at the moment when its response is next asked for, as a sweep would that
    /// comes between two reads.
    pub fn forget_when_read(&self, job: JobId) {
        self.shared.state().forgets = Some(job);
    }

    /// How many changes were committed since the store was made or opened.
    pub fn commits(&self) -> u64 {
        self.shared.state().commits
    }

    /// How many bodies are stored outside of a job's own row, referred to or not.
    pub fn files(&self) -> usize {
        self.shared.state().disk.files.len()
    }

    /// Makes the store take no more changes, as after a failed sync.
    pub fn break_down(&self, reason: &str) {
        self.shared.fault.send_replace(Some(reason.to_owned()));
    }

    /// What a new process finds after this one died: only what was committed. Leases, changes that
    /// were held back and bodies that no commit referred to are gone, and this store takes no more
    /// calls.
    pub fn crash(&self) -> Self {
        let mut state = self.shared.state();
        state.closed = true;
        state.pending.clear();
        self.shared.held.send_replace(0);
        Self {
            shared: Arc::new(Shared::opened(state.disk.survivors())),
        }
    }
}
