//! Reading jobs: one, its request and response, and lists.

use std::sync::Arc;

use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::{Job, Remains, Status};

use crate::{Pending, StoredRequest, StoredResponse};

/// Which jobs to list; newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only in this status.
    pub status: Option<Status>,
    /// Only of this route.
    pub route: Option<RouteName>,
    /// Only older than this job: the cursor.
    pub before: Option<JobId>,
    /// At most this many, and never more than `limits::LIST_PAGE`.
    pub limit: usize,
}

/// A page of jobs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The jobs, newest first.
    pub jobs: Vec<Job>,
    /// Where the next page begins, if there may be one.
    pub next: Option<JobId>,
    /// Jobs on this page whose record is damaged.
    pub damaged: Vec<JobId>,
}

/// Reading jobs. Every change that was acknowledged before a read began is seen by it.
pub trait Jobs: Send + Sync + 'static {
    /// One job.
    fn job(&self, id: JobId) -> Pending<'_, Option<Job>>;

    /// What can be read of a job whose record is damaged, which is set aside for a look; a change
    /// may then replace it. None: it is not damaged, or too little can be read.
    fn remains(&self, id: JobId) -> Pending<'_, Option<Remains>> {
        _ = id;
        Box::pin(std::future::ready(Ok(None)))
    }

    /// A job's request.
    fn request(&self, id: JobId) -> Pending<'_, Option<Arc<StoredRequest>>>;

    /// A job's response.
    fn response(&self, id: JobId) -> Pending<'_, Option<Arc<StoredResponse>>>;

    /// A page of jobs. A filter that matches few of many jobs is served from an index.
    fn list(&self, filter: Filter) -> Pending<'_, Page>;

    /// How many jobs of each route are in each status; kept in memory, costs no read.
    fn counts(&self) -> Vec<(RouteName, Status, u64)>;
}
