//! What is due: queued jobs by route, leases on them, and finished jobs whose time is over.

use raincheck_core::id::{FencingToken, JobId, Revision, RouteName};
use raincheck_core::time::Timestamp;

use crate::Pending;

/// The right to run attempts of a job until a moment. Held in memory: it does not outlive the
/// process, and needs no sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// When the right ends unless renewed.
    pub until: Timestamp,
}

/// A job whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overdue {
    /// The job.
    pub job: JobId,
    /// The revision that was looked at.
    pub revision: Revision,
    /// Whether it is finished and may be deleted as it stands; otherwise load it and apply
    /// `Expire`.
    pub finished: bool,
}

/// The queue.
pub trait Queue: Send + Sync + 'static {
    /// Leases up to `limit` queued jobs of `route` that are due at `now` and not leased, those due
    /// longest first.
    fn lease(
        &self,
        route: RouteName,
        now: Timestamp,
        limit: usize,
        until: Timestamp,
    ) -> Pending<'_, Vec<Lease>>;

    /// Leases one job, queued or processing, whatever its due time; false: somebody has it.
    fn lease_one(&self, job: JobId, now: Timestamp, until: Timestamp) -> bool;

    /// Moves the end of a lease; false: there is none any more, the work must stop.
    fn renew(&self, job: JobId, until: Timestamp) -> bool;

    /// Gives a lease back; nothing happens if there is none.
    fn release(&self, job: JobId);

    /// Takes leases that ran out before `now` off the books and names their jobs.
    fn lapsed(&self, now: Timestamp) -> Vec<JobId>;

    /// When the next unleased queued job of `route` is due.
    fn next_due(&self, route: RouteName) -> Pending<'_, Option<Timestamp>>;

    /// Queued jobs of `route`, leased ones included; from memory.
    fn waiting(&self, route: &RouteName) -> u64;

    /// Jobs that were `processing` when the engine was opened: nobody runs them any more. Up to
    /// `limit`, those not yet changed since.
    fn orphans(&self, limit: usize) -> Pending<'_, Vec<(JobId, FencingToken)>>;

    /// Jobs whose retention or, while queued, whose deadline is over at `now`: up to `limit`.
    fn overdue(&self, now: Timestamp, limit: usize) -> Pending<'_, Vec<Overdue>>;

    /// When the next job is overdue.
    fn next_overdue(&self) -> Pending<'_, Option<Timestamp>>;
}
