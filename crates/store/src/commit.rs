//! A change of a job: all or nothing, refused if the job has changed meanwhile, durable before it
//! is acknowledged.

use std::sync::Arc;

use http::HeaderMap;
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::{FencingToken, JobId, Revision};
use raincheck_core::job::Job;

use crate::{Body, NewKey, Pending};

/// A request as it is stored: enough to send it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRequest {
    /// Its head.
    pub head: RequestHead,
    /// Its body.
    pub body: Body,
    /// Its trailers; empty where it had none.
    pub trailers: HeaderMap,
}

/// A complete response as it is stored: enough to replay it exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredResponse {
    /// Its head.
    pub head: ResponseHead,
    /// Its body.
    pub body: Body,
    /// Its trailers; empty where it had none.
    pub trailers: HeaderMap,
    /// The attempt that got it; with the job id it names these bytes for ever.
    pub attempt: u32,
}

/// A job's next state, with what is stored beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The job as it will be; its revision already counted up.
    pub job: Job,
    /// The revision it was computed from; none: the job is new.
    pub from: Option<Revision>,
    /// The attempt on whose behalf this is; refused unless the *stored* job's token is this one.
    pub fence: Option<FencingToken>,
    /// The request, with a new job. Bodies in it belong to the job from this commit on.
    pub request: Option<Arc<StoredRequest>>,
    /// The key that leads to it, with a new job.
    pub key: Option<NewKey>,
    /// A response to keep. Replaces an earlier one, whose body is deleted.
    pub response: Option<Arc<StoredResponse>>,
    /// Whether an earlier response is deleted.
    pub drops_response: bool,
}

/// One atomic change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Writes a job.
    Put(Box<Put>),
    /// Forgets a job with its request, response and bodies.
    Delete {
        /// The job.
        job: JobId,
        /// The revision that was looked at.
        from: Revision,
    },
}

/// Making changes durable.
pub trait Commit: Send + Sync + 'static {
    /// Makes `change` durable, or changes nothing. Returns after the sync that makes it survive a
    /// power cut. Changes of different jobs may share one sync.
    ///
    /// # Errors
    /// `Conflict`, `Exists`, `Fenced`, `Taken`: nothing was changed. `Full`, `Unavailable`: nothing was
    /// acknowledged, though after a failed sync the change may turn out to have survived.
    fn commit(&self, change: Change) -> Pending<'_, ()>;
}
