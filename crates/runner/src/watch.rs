//! Who waits for which job: long polls now, streams of events later.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use tokio::sync::watch::{self, Receiver, Sender};

type Map = HashMap<JobId, Sender<()>>;

/// All who wait.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    jobs: Arc<Mutex<Map>>,
}

/// Waits for changes of one job.
#[derive(Debug)]
pub struct Watch {
    job: JobId,
    jobs: Arc<Mutex<Map>>,
    changes: Receiver<()>,
}

fn locked(jobs: &Mutex<Map>) -> MutexGuard<'_, Map> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    pub(crate) fn watch(&self, job: JobId) -> Watch {
        let mut jobs = locked(&self.jobs);
        let sender = jobs.entry(job).or_insert_with(|| watch::channel(()).0);
        Watch { job, jobs: Arc::clone(&self.jobs), changes: sender.subscribe() }
    }

    pub(crate) fn notify(&self, job: JobId) {
        if let Some(sender) = locked(&self.jobs).get(&job) {
            sender.send_replace(());
        }
    }
}

impl Watch {
    /// Waits until the job has changed since this watch began or last returned. Cancel-safe.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut jobs = locked(&self.jobs);
        if jobs.get(&self.job).is_some_and(|sender| sender.receiver_count() <= 1) {
            jobs.remove(&self.job);
        }
    }
}
