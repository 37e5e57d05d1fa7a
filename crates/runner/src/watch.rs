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
    /// There until dropped.
    changes: Option<Receiver<()>>,
}

fn locked(jobs: &Mutex<Map>) -> MutexGuard<'_, Map> {
    jobs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    pub(crate) fn watch(&self, job: JobId) -> Watch {
        self.enter(locked(&self.jobs), job)
    }

    /// None if `limit` jobs are watched already and this is another.
    pub(crate) fn try_watch(&self, job: JobId, limit: usize) -> Option<Watch> {
        let jobs = locked(&self.jobs);
        (jobs.len() < limit || jobs.contains_key(&job)).then(|| self.enter(jobs, job))
    }

    fn enter(&self, mut jobs: MutexGuard<'_, Map>, job: JobId) -> Watch {
        let sender = jobs.entry(job).or_insert_with(|| watch::channel(()).0);
        Watch {
            job,
            jobs: Arc::clone(&self.jobs),
            changes: Some(sender.subscribe()),
        }
    }

    pub(crate) fn notify(&self, job: JobId) {
        if let Some(sender) = locked(&self.jobs).get(&job) {
            sender.send_replace(());
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        locked(&self.jobs).len()
    }
}

impl Watch {
    /// Waits until the job has changed since this watch began or last returned. Cancel-safe.
    pub async fn changed(&mut self) {
        if let Some(changes) = &mut self.changes
            && changes.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut jobs = locked(&self.jobs);
        // Under the lock, so that of two that go at once one is the last.
        drop(self.changes.take());
        if jobs
            .get(&self.job)
            .is_some_and(|sender| sender.receiver_count() == 0)
        {
            jobs.remove(&self.job);
        }
    }
}

#[cfg(test)]
mod tests {
    //! The map holds exactly the jobs that somebody watches.

    use raincheck_core::id::JobId;
    use raincheck_core::time::Timestamp;

    use super::Watchers;

    fn job(number: u8) -> JobId {
        JobId::from_parts(Timestamp::from_millis(1), [number; 10])
    }

    #[tokio::test]
    async fn a_change_before_the_wait_is_not_missed() {
        let watchers = Watchers::default();
        let mut watch = watchers.watch(job(1));
        watchers.notify(job(1));
        watchers.notify(job(1));
        watch.changed().await;
        let again = tokio::time::timeout(std::time::Duration::ZERO, watch.changed()).await;
        assert!(again.is_err(), "two changes before one look are one");
        watchers.notify(job(2));
        assert!(
            tokio::time::timeout(std::time::Duration::ZERO, watch.changed())
                .await
                .is_err()
        );
    }

    #[test]
    fn the_bound_is_on_jobs_that_are_watched() {
        let watchers = Watchers::default();
        let first = watchers.try_watch(job(1), 1);
        assert!(first.is_some() && watchers.try_watch(job(2), 1).is_none());
        assert!(
            watchers.try_watch(job(1), 1).is_some(),
            "it is watched already"
        );
        drop(first);
        assert_eq!(watchers.len(), 0);
        assert!(watchers.try_watch(job(2), 1).is_some());
    }

    #[test]
    fn nothing_is_left_when_many_leave_at_once() {
        let watchers = Watchers::default();
        for _ in 0..2_000 {
            let watches: Vec<_> = (0..4).map(|_| watchers.watch(job(1))).collect();
            let start = std::sync::Barrier::new(watches.len());
            std::thread::scope(|scope| {
                for watch in watches {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        drop(watch);
                    });
                }
            });
            assert_eq!(watchers.len(), 0);
        }
    }
}
