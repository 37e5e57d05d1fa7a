//! Deadlines of waiting jobs, and retention of finished ones.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::job::Event;
use raincheck_store::{Change, Error as StoreError, Overdue};

use crate::settle::is_full;
use crate::together::all;
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
            Err(error) if is_full(&error) => {
                tracing::debug!(%error, "expired jobs wait for room to be forgotten");
                ROUND
            }
            Err(error) => {
                tracing::error!(%error, "the sweep of expired jobs failed; it will be tried again");
                ROUND
            }
        };
        tokio::select! {
            biased;
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
    async fn sweep_once(&self) -> Result<usize, Error> {
        let overdue = self.store.overdue(self.now(), BATCH).await?;
        let count = overdue.len();
        let swept = all(overdue.into_iter().map(|overdue| self.sweep_one(overdue)));
        swept
            .await
            .into_iter()
            .collect::<Result<Vec<()>, Error>>()?;
        Ok(count)
    }

    async fn sweep_one(&self, overdue: Overdue) -> Result<(), Error> {
        let Overdue {
            job,
            revision,
            finished,
        } = overdue;
        let done = match finished {
            true => {
                let change = Change::Delete {
                    job,
                    from: revision,
                };
                let deleted = self.store.commit(change).await.map_err(Error::from);
                deleted.map(|()| self.watchers.notify(job))
            }
            false => self.transit(job, &Event::Expire).await.map(|_| ()),
        };
        match done {
            Ok(())
            | Err(
                Error::NotFound | Error::Refused(_) | Error::Store(StoreError::Conflict { .. }),
            ) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
