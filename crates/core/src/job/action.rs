//! What must be done because a job changed. Done after the change is durable; each safe twice.

use crate::id::{FencingToken, JobId, RouteName};
use crate::time::Timestamp;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Wake who watches the job.
    Notify(JobId),
    /// Look at the route's queue at this time.
    Dispatch {
        /// Whose queue.
        route: RouteName,
        /// When.
        at: Timestamp,
    },
    /// Close the exchange of the attempt with this token, if it still runs here.
    Close {
        /// The job.
        job: JobId,
        /// The attempt.
        token: FencingToken,
    },
    /// Tell of the job's end at this time.
    Tell {
        /// The job.
        job: JobId,
        /// A number for where; see [`crate::callback::Callback::receiver`].
        receiver: u64,
        /// When.
        at: Timestamp,
    },
}
