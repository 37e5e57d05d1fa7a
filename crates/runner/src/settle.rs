//! Tells how an attempt ended, as often as it takes: the answer is at hand and must not be lost to
//! a disk that is full for a minute.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::job::{Event, Job, apply};
use raincheck_core::outcome::{Failure, Outcome};
use raincheck_exchange::record::storage;
use raincheck_exchange::{Recorded, compact};
use raincheck_store::{Error as StoreError, StoredResponse};

use crate::{Error, Shared};

/// How often an answer is offered to a store that will not take it: about five minutes.
const TRIES: usize = 64;
/// The first wait in between.
const WAIT: Duration = Duration::from_millis(100);
/// The longest.
const WAIT_MAX: Duration = Duration::from_secs(5);

impl Shared {
    /// Whether the end is durable, or another came first.
    pub(crate) async fn settle(&self, job: &Job, result: Result<Recorded, Failure>) -> bool {
        let mut wait = WAIT;
        for tried in 0..TRIES {
            match self.try_settle(job, &result).await {
                Ok(()) => return true,
                Err(error) if is_final(&error) => return true,
                Err(error) if self.store.fault().is_some() => {
                    tracing::error!(job = %job.id(), %error, "an answer could not be stored");
                    return false;
                }
                // A store without room says so itself, once for all jobs.
                Err(error) if tried > 0 || is_full(&error) => {
                    tracing::debug!(job = %job.id(), %error, tried, "an answer is not stored yet");
                }
                Err(error) => {
                    tracing::warn!(job = %job.id(), %error, "an answer is not stored yet");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
        let lost = StoreError::Unavailable("the store would not take the answer".to_owned());
        match self.try_settle(job, &Err(storage(&lost))).await {
            Ok(()) => true,
            Err(error) if is_final(&error) => true,
            Err(error) => {
                tracing::error!(job = %job.id(), %error, "an attempt's end could not be stored");
                false
            }
        }
    }

    async fn try_settle(&self, job: &Job, result: &Result<Recorded, Failure>) -> Result<(), Error> {
        let now = self.now();
        let outcome = match result {
            Ok(recorded) => Outcome::Answered {
                response: recorded.summary(),
                retry_after: recorded.retry_after(now),
            },
            Err(failure) => Outcome::Failed(failure.clone()),
        };
        let jitter = self.ambient.number();
        let event = Event::Settle {
            token: job.token(),
            outcome,
            jitter,
        };
        let mut current = job.clone();
        loop {
            let transition = apply(&current, &event, now)?;
            let keeps = transition
                .next
                .as_ref()
                .is_some_and(|next| next.response().is_some());
            let response = match result {
                Ok(recorded) if keeps => Some(stored(job, recorded).await?),
                _ => None,
            };
            match self
                .commit(&current, transition, Some(job.token()), response)
                .await
            {
                Err(StoreError::Conflict { .. }) => {
                    current = self.load(job.id()).await?;
                }
                done => return Ok(done.map(|_| ())?),
            }
        }
    }
}

/// Whether there is no room.
pub(crate) fn is_full(error: &Error) -> bool {
    matches!(error, Error::Store(StoreError::Full(_)))
}

/// Whether this attempt has nothing more to say.
fn is_final(error: &Error) -> bool {
    matches!(
        error,
        Error::NotFound | Error::Refused(_) | Error::Store(StoreError::Fenced(_))
    )
}

async fn stored(job: &Job, recorded: &Recorded) -> Result<Arc<StoredResponse>, StoreError> {
    Ok(Arc::new(StoredResponse {
        head: compact::response(&recorded.head),
        body: compact::body(recorded.body.persist().await?),
        trailers: compact::headers(&recorded.trailers),
        attempt: job.attempt(),
    }))
}
