//! The attempts that run in this process, so that they can be closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::{FencingToken, JobId};
use tokio_util::sync::CancellationToken;

type Attempts = HashMap<JobId, (FencingToken, CancellationToken)>;

#[derive(Debug, Default, Clone)]
pub(crate) struct Running {
    attempts: Arc<Mutex<Attempts>>,
}

/// An attempt's entry; taken off the books when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    running: Running,
    job: JobId,
    token: FencingToken,
    /// Set when the attempt must close its exchange.
    pub(crate) close: CancellationToken,
}

impl Running {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters an attempt. To be done before its start is committed: who sees the job running must
    /// be able to close it.
    pub(crate) fn enter(&self, job: JobId, token: FencingToken) -> Entry {
        let close = CancellationToken::new();
        self.attempts().insert(job, (token, close.clone()));
        Entry {
            running: self.clone(),
            job,
            token,
            close,
        }
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

impl Drop for Entry {
    fn drop(&mut self) {
        let mut attempts = self.running.attempts();
        if attempts
            .get(&self.job)
            .is_some_and(|(token, _)| *token == self.token)
        {
            attempts.remove(&self.job);
        }
    }
}
