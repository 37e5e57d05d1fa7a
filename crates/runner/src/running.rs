//! The attempts that run in this process, so that they can be closed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::{FencingToken, JobId};
use raincheck_exchange::{End, Recording, Source};
use tokio_util::sync::CancellationToken;

type Attempts = HashMap<JobId, Attempt>;

/// An attempt that runs here.
#[derive(Debug)]
struct Attempt {
    token: FencingToken,
    close: CancellationToken,
    /// Its answer, from when that is known to be the job's.
    recording: Option<Shown>,
}

/// A recording that readers may have.
struct Shown(Arc<Recording>);

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recording")
    }
}

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
        let attempt = Attempt {
            token,
            close: close.clone(),
            recording: None,
        };
        self.attempts().insert(job, attempt);
        Entry {
            running: self.clone(),
            job,
            token,
            close,
        }
    }

    /// Closes an attempt's exchange, if it runs here.
    pub(crate) fn close(&self, job: JobId, token: FencingToken) {
        if let Some(attempt) = self.attempts().get(&job)
            && attempt.token == token
        {
            attempt.close.cancel();
        }
    }

    /// Lets others read an attempt's answer while it is recorded.
    pub(crate) fn show(&self, job: JobId, token: FencingToken, recording: &Arc<Recording>) {
        if let Some(attempt) = self.attempts().get_mut(&job)
            && attempt.token == token
        {
            attempt.recording = Some(Shown(Arc::clone(recording)));
        }
    }

    /// The answer of the attempt that runs, once it is known to be the job's. Its head is known.
    /// One that broke off is none: another attempt may follow, or the job's end.
    pub(crate) fn source(&self, job: JobId) -> Option<Source> {
        let attempts = self.attempts();
        let attempt = attempts.get(&job)?;
        let shown = attempt.recording.as_ref()?;
        let source = Source {
            job,
            run: attempt.token,
            recording: Arc::clone(&shown.0),
        };
        matches!(source.state().end, None | Some(End::Complete)).then_some(source)
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
            .is_some_and(|attempt| attempt.token == self.token)
        {
            attempts.remove(&self.job);
        }
    }
}
