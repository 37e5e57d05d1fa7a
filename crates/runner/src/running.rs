//! The attempts that run in this process, so that they can be closed.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::{FencingToken, JobId};
use tokio_util::sync::CancellationToken;

#[derive(Debug, Default)]
pub(crate) struct Running {
    attempts: Mutex<HashMap<JobId, (FencingToken, CancellationToken)>>,
}

/// An attempt's entry; taken off the books when dropped.
pub(crate) struct Entry<'a> {
    running: &'a Running,
    job: JobId,
    token: FencingToken,
    /// Set when the attempt must close its exchange.
    pub(crate) close: CancellationToken,
}

impl Running {
    fn attempts(&self) -> MutexGuard<'_, HashMap<JobId, (FencingToken, CancellationToken)>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(&self, job: JobId, token: FencingToken) -> Entry<'_> {
        let close = CancellationToken::new();
        self.attempts().insert(job, (token, close.clone()));
        Entry { running: self, job, token, close }
    }

    /// Closes an attempt's exchange, if it runs here.
    pub(crate) fn close(&self, job: JobId, token: FencingToken) {
        if let Some((running, close)) = self.attempts().get(&job)
            && *running == token
        {
            close.cancel();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.attempts().len()
    }

    /// The jobs whose attempts run here.
    pub(crate) fn jobs(&self) -> Vec<JobId> {
        self.attempts().keys().copied().collect()
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let mut attempts = self.running.attempts();
        if attempts.get(&self.job).is_some_and(|(token, _)| *token == self.token) {
            attempts.remove(&self.job);
        }
    }
}
