//! Why the runner did not do what it was asked.

use raincheck_core::job::Refused;
use raincheck_core::outcome::Failure;
use raincheck_core::problem::{Problem, ProblemCode};

/// Why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such job.
    #[error("there is no such job")]
    NotFound,
    /// The job is not in a state that allows it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The route's queue is full.
    #[error("{waiting} jobs are waiting and the route's queue holds {limit}")]
    QueueFull {
        /// How many wait.
        waiting: u64,
        /// How many may.
        limit: u64,
    },
    /// The process is about to stop.
    #[error("the gateway is shutting down")]
    Draining,
    /// No webhooks are configured.
    #[error("this gateway sends no webhooks; its operator has set no keys for them")]
    Untold,
    /// The exchange failed before its job was durable.
    #[error("{}", .0.detail)]
    Exchange(Failure),
    /// The store would not.
    #[error(transparent)]
    Store(#[from] raincheck_store::Error),
}

impl Error {
    /// The task that was to do it panicked.
    pub(crate) fn died() -> Self {
        let detail = "the task that changed the job failed".to_owned();
        Self::Store(raincheck_store::Error::Unavailable(detail))
    }

    /// What a client is told.
    pub fn problem(&self) -> Problem {
        let code = match self {
            Self::NotFound => ProblemCode::JobNotFound,
            Self::Refused(_) | Self::Untold => ProblemCode::JobStateConflict,
            Self::QueueFull { .. } => ProblemCode::QueueFull,
            Self::Draining => ProblemCode::Draining,
            Self::Exchange(failure) => failure.cause.problem(),
            Self::Store(raincheck_store::Error::Corrupt(_)) => ProblemCode::StorageDamaged,
            Self::Store(_) => ProblemCode::StoreUnavailable,
        };
        let detail = match self {
            Self::NotFound => "no job has this id; it may have expired or been forgotten".into(),
            Self::Store(raincheck_store::Error::Full(_)) => {
                "the disk is full; nothing was accepted, try again later".into()
            }
            Self::Store(raincheck_store::Error::Unavailable(_)) => {
                "the store takes no changes; nothing was accepted".into()
            }
            other => other.to_string(),
        };
        let problem = Problem::new(code, detail);
        match code.retryable() {
            true => problem.retry_after(std::time::Duration::from_secs(5)),
            false => problem,
        }
    }
}
