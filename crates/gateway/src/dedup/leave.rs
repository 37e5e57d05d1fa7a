//! Clients that go, on routes where a request that can be found again is to end with its client:
//! the job is cancelled when the client that began it goes, unless another one came for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use raincheck_core::route::OnDisconnect;
use raincheck_runner::Runner;

/// The clients that began a job and wait for it; with each, whether others came for the same job.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginners {
    waiting: Arc<Mutex<HashMap<JobId, bool>>>,
}

/// A client that began a job. Dropped before its answer, the job is cancelled where the route says
/// so.
pub(super) struct Leaving<'a> {
    cancels: Option<(Beginners, &'a Runner, JobId)>,
}

impl Beginners {
    fn waiting(&self) -> MutexGuard<'_, HashMap<JobId, bool>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client begins a job.
    pub(super) fn enter<'a>(
        &self,
        runner: &'a Runner,
        on_disconnect: OnDisconnect,
        job: JobId,
    ) -> Leaving<'a> {
        if on_disconnect == OnDisconnect::Continue {
            return Leaving { cancels: None };
        }
        self.waiting().insert(job, false);
        Leaving {
            cancels: Some((self.clone(), runner, job)),
        }
    }

    /// Another client came for the job.
    pub(super) fn joined(&self, job: JobId) {
        if let Some(others) = self.waiting().get_mut(&job) {
            *others = true;
        }
    }
}

impl Leaving<'_> {
    /// The client has its answer, or there is no job.
    pub(super) fn stays(mut self) {
        if let Some((beginners, _, job)) = self.cancels.take() {
            beginners.waiting().remove(&job);
        }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if let Some((beginners, runner, job)) = self.cancels.take() {
            let others = beginners.waiting().remove(&job);
            if others == Some(false) {
                runner.cancel_unheard(job);
            }
        }
    }
}
