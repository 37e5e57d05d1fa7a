//! Deadlines of waiting jobs, and retention of finished ones.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::job::Event;
use raincheck_store::{Change, Error as StoreError, Overdue};

use crate::{Error, Shared};

/// Jobs looked at in one go; their deletions share group commits.
const BATCH: usize = 512;
/// The longest wait between looks.
const ROUND: Duration = Duration::from_secs(5);
/// The shortest: what ends within it is swept together.
const PAUSE: Duration = Duration::from_millis(200);

/// Runs until the runner stops.
pub(crate) async fn run(shared: Arc<Shared>) {
    loop {
        let wait = match shared.sweep_once().await {
            Ok(swept) if swept == BATCH => Duration::ZERO,
            Ok(_) => shared.until_next_overdue().await.clamp(PAUSE, ROUND),
            Err(error) => {
                tracing::error!(%error, "the sweep of expired jobs failed; it will be tried again");
                ROUND
            }
        };
        tokio::select! {
            () = shared.stopped.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

impl Shared {
    async fn until_next_overdue(&self) -> Duration {
        match self.store.next_overdue().await {
            Ok(Some(at)) => at.since(self.now()),
            _ => ROUND,
        }
    }

    /// Sweeps one batch; says how many were overdue.
    pub(crate) async fn sweep_once(&self) -> Result<usize, StoreError> {
        let overdue = self.store.overdue(self.now(), BATCH).await?;
        let count = overdue.len();
        let mut commits = Vec::with_capacity(count);
        for Overdue { job, revision, finished } in overdue {
            if finished {
                commits.push((job, self.store.commit(Change::Delete { job, from: revision })));
                continue;
            }
            match self.transit(job, &Event::Expire).await {
                Ok(_) | Err(Error::NotFound | Error::Refused(_)) => {}
                Err(error) => tracing::warn!(%job, %error, "a job could not be expired"),
            }
        }
        for (job, result) in join_all(commits).await {
            match result {
                Ok(()) => self.watchers.notify(job),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }
}

/// Drives all futures together, so that their changes meet in one group commit.
async fn join_all<K: Copy, F: Future + Unpin>(futures: Vec<(K, F)>) -> Vec<(K, F::Output)> {
    let mut waiting = futures;
    let mut done = Vec::with_capacity(waiting.len());
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|(key, future)| {
            match std::pin::Pin::new(future).poll(cx) {
                std::task::Poll::Ready(output) => {
                    done.push((*key, output));
                    false
                }
                std::task::Poll::Pending => true,
            }
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}
