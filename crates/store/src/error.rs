//! What can go wrong in a store, as causes a caller can act on.

use raincheck_core::id::{JobId, Revision};

use crate::KeyEntry;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The job has changed meanwhile: load it again and decide again.
    #[error("job {job} has changed meanwhile (expected revision {}, found {found:?})", expected.0)]
    Conflict {
        /// The job.
        job: JobId,
        /// The revision the change was computed from.
        expected: Revision,
        /// The stored revision; none: there is no such job.
        found: Option<Revision>,
    },
    /// A job with this id is already stored.
    #[error("job {0} is already stored")]
    Exists(JobId),
    /// The change is of an attempt that is not the latest: drop it.
    #[error("an older attempt of job {0} may not change it")]
    Fenced(JobId),
    /// The key of a new job leads to another one: look at that one.
    #[error("the key leads to job {} already", .0.job)]
    Taken(KeyEntry),
    /// No room on the disk, or in a bound of ours. Nothing was changed.
    #[error("the store is full: {0}")]
    Full(String),
    /// A stored record does not match its checksum.
    #[error("a stored record is damaged: {0}")]
    Corrupt(String),
    /// The engine cannot work: closed, read-only, or its disk failed. Nothing was acknowledged.
    #[error("the store is not available: {0}")]
    Unavailable(String),
}
