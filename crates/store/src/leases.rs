//! Leases in memory, for engines that serve one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use raincheck_core::time::Timestamp;

/// Who may run what until when.
#[derive(Debug, Default)]
pub struct Leases {
    until: Mutex<HashMap<JobId, Timestamp>>,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<JobId, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a lease unless there is one.
    pub fn take(&self, job: JobId, until: Timestamp) -> bool {
        let mut held = self.held();
        if held.contains_key(&job) {
            return false;
        }
        held.insert(job, until);
        true
    }

    /// Moves the end of a lease; false if there is none.
    pub fn renew(&self, job: JobId, until: Timestamp) -> bool {
        self.held().get_mut(&job).map(|end| *end = until).is_some()
    }

    /// Gives a lease back.
    pub fn release(&self, job: JobId) {
        self.held().remove(&job);
    }

    /// Whether somebody holds a lease on this job.
    pub fn is_held(&self, job: JobId) -> bool {
        self.held().contains_key(&job)
    }

    /// How many leases there are: a look-up that skips leased jobs must look past so many.
    pub fn len(&self) -> usize {
        self.held().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held().is_empty()
    }

    /// Takes off the books what ended before `now`; the oldest jobs first.
    pub fn lapsed(&self, now: Timestamp) -> Vec<JobId> {
        let mut held = self.held();
        let mut over: Vec<JobId> = held
            .iter()
            .filter(|(_, until)| **until < now)
            .map(|(job, _)| *job)
            .collect();
        over.sort_unstable();
        for job in &over {
            held.remove(job);
        }
        over
    }
}
