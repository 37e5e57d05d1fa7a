//! What is still to be told: ended jobs whose callers named a URL for it. The telling is part of
//! its job, so it is written in the same commit as the end; this finds what is due.

use raincheck_core::id::JobId;
use raincheck_core::time::Timestamp;

use crate::Pending;

/// A job whose end is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToTell {
    /// When.
    pub at: Timestamp,
    /// The job.
    pub job: JobId,
    /// A number for where; see [`raincheck_core::callback::Callback::receiver`].
    pub receiver: u64,
}

/// Finding what is still to be told. Every change that was acknowledged before a read began is seen
/// by it.
pub trait Deliveries: Send + Sync + 'static {
    /// Up to `limit` jobs whose end is to be told by `now`, in the order of time and then of jobs,
    /// beginning after that place.
    fn to_tell(
        &self,
        after: Option<(Timestamp, JobId)>,
        now: Timestamp,
        limit: usize,
    ) -> Pending<'_, Vec<ToTell>>;

    /// When the next end is to be told that is not to be told by `now`.
    fn next_to_tell(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>>;
}
