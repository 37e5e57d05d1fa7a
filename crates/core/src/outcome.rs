//! How an exchange ended, and whether the backend may have seen the request.

use std::time::Duration;

use crate::problem::ProblemCode;

/// How far a request had come when its exchange failed. Decides what may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// There was no connection to send it on.
    Unreached,
    /// There was one, and it took not a byte of it.
    Unsent,
    /// Some of it left us.
    Part,
    /// All of it left us, and no answer came.
    All,
    /// An answer had begun, and is lost.
    Answering,
    /// Nobody can tell: the exchange was given up, or its process died.
    Unknown,
}

impl Seen {
    /// Every value.
    pub const ALL: [Self; 6] = [
        Self::Unreached,
        Self::Unsent,
        Self::Part,
        Self::All,
        Self::Answering,
        Self::Unknown,
    ];

    /// Whether the backend may have seen any of the request.
    pub fn maybe(self) -> bool {
        match self {
            Self::Unreached | Self::Unsent => false,
            Self::Part | Self::All | Self::Answering | Self::Unknown => true,
        }
    }

    /// What was sent, in words for a log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreached => "not connected",
            Self::Unsent => "nothing",
            Self::Part => "part",
            Self::All => "all",
            Self::Answering => "all, its answer is lost",
            Self::Unknown => "unknown",
        }
    }
}

/// Why there is no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// No connection: refused, unreachable, name not found, TLS failed, or too slow to connect.
    Connect,
    /// No upstream of the route may be used: ejected, or failing its checks.
    NoUpstream,
    /// As many connections to the upstream are in use as are allowed.
    Busy,
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
    /// What our own disk gave back of the request was damaged.
    Damaged,
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
            Self::NoUpstream => ProblemCode::NoUpstream,
            Self::Busy => ProblemCode::Overloaded,
            Self::Broken => ProblemCode::UpstreamBroken,
            Self::Timeout => ProblemCode::UpstreamTimeout,
            Self::Deadline => ProblemCode::DeadlineExceeded,
            Self::TooLarge => ProblemCode::ResponseTooLarge,
            Self::Storage => ProblemCode::StoreUnavailable,
            Self::Damaged => ProblemCode::StorageDamaged,
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
    /// How far the request had come.
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
