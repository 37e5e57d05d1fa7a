//! How an exchange ended, and whether the backend may have seen the request.

use std::time::Duration;

use crate::problem::ProblemCode;

/// Whether the backend may have seen any of the request. Decides what may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// Not a byte left us.
    No,
    /// At least one byte left us, or we cannot tell.
    Maybe,
}

/// Why there is no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No connection: refused, unreachable, name not found, TLS failed, or too slow to connect.
    Connect,
    /// The connection broke, or the answer was not HTTP, before it was complete.
    Broken,
    /// The route's `timeout` or `idle_timeout` passed.
    Timeout,
    /// The job's deadline passed while the backend worked.
    Deadline,
    /// The answer is larger than the route allows.
    TooLarge,
    /// Our own disk would not take the answer.
    Storage,
    /// We stopped it: cancelled, or its client is gone.
    Cancelled,
    /// The gateway was shut down before the answer was complete.
    Drained,
}

impl Cause {
    /// The problem that a client is told.
    pub fn problem(self) -> ProblemCode {
        match self {
            Self::Connect => ProblemCode::UpstreamUnreachable,
            Self::Broken => ProblemCode::UpstreamBroken,
            Self::Timeout => ProblemCode::UpstreamTimeout,
            Self::Deadline => ProblemCode::DeadlineExceeded,
            Self::TooLarge => ProblemCode::ResponseTooLarge,
            Self::Storage => ProblemCode::StoreUnavailable,
            Self::Cancelled => ProblemCode::JobCancelled,
            Self::Drained => ProblemCode::Interrupted,
        }
    }
}

/// What is known of a complete response without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseSummary {
    /// Its status code.
    pub status: u16,
    /// Its `Content-Type`, where it is readable text.
    pub content_type: Option<String>,
    /// The bytes of its body.
    pub content_length: u64,
}

/// A failed exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub cause: Cause,
    /// Whether the backend may have seen the request.
    pub seen: Seen,
    /// What happened, for a person; safe to show to any client.
    pub detail: String,
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// With a complete response.
    Answered {
        /// What it was.
        response: ResponseSummary,
        /// The wait its `Retry-After` asks for.
        retry_after: Option<Duration>,
    },
    /// Without one.
    Failed(Failure),
}
