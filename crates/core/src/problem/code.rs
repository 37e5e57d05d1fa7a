//! The closed set of problems, and what each one means to a client.

/// Why an answer is ours and not the backend's. Each has a page under `docs/problems/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
#[expect(
    missing_docs,
    reason = "title() is the documentation of each code, and has a page"
)]
pub enum ProblemCode {
    RouteNotFound = 1,
    MalformedRequest = 2,
    RequestTooLarge = 3,
    RequestTimeout = 4,
    UpstreamUnreachable = 5,
    UpstreamBroken = 6,
    UpstreamTimeout = 7,
    ResponseTooLarge = 8,
    QueueFull = 9,
    Draining = 10,
    StoreUnavailable = 11,
    JobNotFound = 12,
    JobCancelled = 13,
    JobExpired = 14,
    Interrupted = 15,
    DeadlineExceeded = 16,
    RouteGone = 17,
    StorageDamaged = 18,
    JobStateConflict = 19,
    RangeNotSatisfiable = 20,
    MethodNotAllowed = 21,
    Internal = 22,
    UpgradeNotSupported = 23,
    Overloaded = 24,
    LoopDetected = 25,
    HeadersTooLarge = 26,
    TargetTooLong = 27,
    InvalidParameter = 28,
    RetriesExhausted = 29,
    ConfigInvalid = 30,
    RateLimited = 31,
    IdempotencyKeyRequired = 32,
    IdempotencyKeyInvalid = 33,
    IdempotencyKeyReused = 34,
    DuplicateInProgress = 35,
    NoUpstream = 36,
    AccessDenied = 37,
    UpgradeRequired = 38,
    CallbackRefused = 39,
    DeliveryNotFound = 40,
    PreconditionFailed = 41,
}

/// Whether the backend may have done something because of the request that got this problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SideEffects {
    /// Nothing was sent to the backend.
    None,
    /// The backend may have seen the request.
    Possible,
}

use ProblemCode as P;

impl ProblemCode {
    /// Every code, in numeric order.
    pub const ALL: [P; 41] = [
        P::RouteNotFound,
        P::MalformedRequest,
        P::RequestTooLarge,
        P::RequestTimeout,
        P::UpstreamUnreachable,
        P::UpstreamBroken,
        P::UpstreamTimeout,
        P::ResponseTooLarge,
        P::QueueFull,
        P::Draining,
        P::StoreUnavailable,
        P::JobNotFound,
        P::JobCancelled,
        P::JobExpired,
        P::Interrupted,
        P::DeadlineExceeded,
        P::RouteGone,
        P::StorageDamaged,
        P::JobStateConflict,
        P::RangeNotSatisfiable,
        P::MethodNotAllowed,
        P::Internal,
        P::UpgradeNotSupported,
        P::Overloaded,
        P::LoopDetected,
        P::HeadersTooLarge,
        P::TargetTooLong,
        P::InvalidParameter,
        P::RetriesExhausted,
        P::ConfigInvalid,
        P::RateLimited,
        P::IdempotencyKeyRequired,
        P::IdempotencyKeyInvalid,
        P::IdempotencyKeyReused,
        P::DuplicateInProgress,
        P::NoUpstream,
        P::AccessDenied,
        P::UpgradeRequired,
        P::CallbackRefused,
        P::DeliveryNotFound,
        P::PreconditionFailed,
    ];

    /// The number that is stored. Never reused.
    pub fn number(self) -> u16 {
        self as u16
    }

    /// The code with this number, if there is one.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The HTTP status it is sent with.
    pub fn status(self) -> u16 {
        match self {
            P::MalformedRequest
            | P::InvalidParameter
            | P::IdempotencyKeyRequired
            | P::IdempotencyKeyInvalid => 400,
            P::AccessDenied => 403,
            P::RouteNotFound | P::JobNotFound | P::DeliveryNotFound => 404,
            P::MethodNotAllowed => 405,
            P::RequestTimeout => 408,
            P::JobStateConflict | P::DuplicateInProgress => 409,
            P::JobCancelled | P::JobExpired => 410,
            P::RequestTooLarge => 413,
            P::TargetTooLong => 414,
            P::PreconditionFailed => 412,
            P::RangeNotSatisfiable => 416,
            P::IdempotencyKeyReused | P::CallbackRefused => 422,
            P::UpgradeRequired => 426,
            P::ConfigInvalid => 422,
            P::RateLimited => 429,
            P::HeadersTooLarge => 431,
            P::Internal | P::StorageDamaged => 500,
            P::UpgradeNotSupported => 501,
            P::UpstreamUnreachable
            | P::UpstreamBroken
            | P::RetriesExhausted
            | P::ResponseTooLarge
            | P::Interrupted
            | P::RouteGone => 502,
            P::QueueFull | P::Draining | P::StoreUnavailable | P::Overloaded | P::NoUpstream => 503,
            P::UpstreamTimeout | P::DeadlineExceeded => 504,
            P::LoopDetected => 508,
        }
    }

    /// Whether the same request may do better later.
    pub fn retryable(self) -> bool {
        match self {
            P::UpstreamUnreachable
            | P::UpstreamBroken
            | P::RetriesExhausted
            | P::UpstreamTimeout
            | P::RequestTimeout
            | P::QueueFull
            | P::Draining
            | P::StoreUnavailable
            | P::Interrupted
            | P::Overloaded
            | P::RateLimited
            | P::DuplicateInProgress
            | P::NoUpstream => true,
            P::RouteNotFound
            | P::MalformedRequest
            | P::RequestTooLarge
            | P::ResponseTooLarge
            | P::JobNotFound
            | P::JobCancelled
            | P::JobExpired
            | P::DeadlineExceeded
            | P::RouteGone
            | P::StorageDamaged
            | P::JobStateConflict
            | P::RangeNotSatisfiable
            | P::MethodNotAllowed
            | P::Internal
            | P::UpgradeNotSupported
            | P::LoopDetected
            | P::HeadersTooLarge
            | P::TargetTooLong
            | P::InvalidParameter
            | P::ConfigInvalid
            | P::IdempotencyKeyRequired
            | P::IdempotencyKeyInvalid
            | P::IdempotencyKeyReused
            | P::AccessDenied
            | P::UpgradeRequired
            | P::CallbackRefused
            | P::DeliveryNotFound
            | P::PreconditionFailed => false,
        }
    }

    /// Whether the backend may have acted.
    pub fn side_effects(self) -> SideEffects {
        match self {
            P::UpstreamBroken
            | P::RetriesExhausted
            | P::UpstreamTimeout
            | P::ResponseTooLarge
            | P::JobCancelled
            | P::JobExpired
            | P::Interrupted
            | P::DeadlineExceeded
            | P::StorageDamaged
            | P::Internal
            | P::LoopDetected
            | P::RequestTimeout
            | P::RequestTooLarge
            | P::StoreUnavailable
            | P::RouteGone => SideEffects::Possible,
            P::RouteNotFound
            | P::MalformedRequest
            | P::UpstreamUnreachable
            | P::QueueFull
            | P::Draining
            | P::JobNotFound
            | P::JobStateConflict
            | P::RangeNotSatisfiable
            | P::MethodNotAllowed
            | P::UpgradeNotSupported
            | P::Overloaded
            | P::NoUpstream
            | P::HeadersTooLarge
            | P::TargetTooLong
            | P::InvalidParameter
            | P::ConfigInvalid
            | P::RateLimited
            | P::IdempotencyKeyRequired
            | P::IdempotencyKeyInvalid
            | P::IdempotencyKeyReused
            | P::DuplicateInProgress
            | P::AccessDenied
            | P::UpgradeRequired
            | P::CallbackRefused
            | P::DeliveryNotFound
            | P::PreconditionFailed => SideEffects::None,
        }
    }

    /// What happened, the same words for every occurrence.
    pub fn title(self) -> &'static str {
        match self {
            P::RouteNotFound => "No route matches this request",
            P::MalformedRequest => "The request is not well-formed HTTP",
            P::RequestTooLarge => "The request body is larger than this route allows",
            P::RequestTimeout => "The client stopped sending the request",
            P::UpstreamUnreachable => "The backend could not be reached",
            P::UpstreamBroken => "The backend's answer could not be read to its end",
            P::UpstreamTimeout => "The backend did not answer in time",
            P::ResponseTooLarge => "The backend's answer is larger than this route allows",
            P::QueueFull => "The queue of this route is full",
            P::Draining => "The gateway is shutting down",
            P::StoreUnavailable => "The job could not be stored",
            P::JobNotFound => "There is no such job",
            P::JobCancelled => "The job was cancelled",
            P::JobExpired => "The job expired",
            P::Interrupted => "The gateway stopped while the backend was working",
            P::DeadlineExceeded => "The job's deadline passed",
            P::RouteGone => "The job's route is no longer configured",
            P::StorageDamaged => "The stored record of this job is damaged",
            P::JobStateConflict => "The job is not in a state that allows this",
            P::RangeNotSatisfiable => "The requested range lies outside the result",
            P::MethodNotAllowed => "This method is not allowed here",
            P::Internal => "The gateway made a mistake",
            P::UpgradeNotSupported => "This route cannot pass on an Upgrade",
            P::Overloaded => "The gateway has more requests than it may take",
            P::LoopDetected => "The request came back to the gateway that sent it",
            P::HeadersTooLarge => "The header section is larger than allowed",
            P::TargetTooLong => "The request target is longer than allowed",
            P::InvalidParameter => "A parameter has a value that is not allowed",
            P::AccessDenied => "This route does not serve this client",
            P::UpgradeRequired => "This address speaks another protocol",
            P::CallbackRefused => "The callback URL is not accepted",
            P::DeliveryNotFound => "The job has no such delivery",
            P::PreconditionFailed => "The result is not the one that If-Match names",
            P::RetriesExhausted => "The last allowed attempt was answered with an error",
            P::ConfigInvalid => "The config has a mistake, and nothing was changed",
            P::RateLimited => "This client sends more than it may",
            P::IdempotencyKeyRequired => "This route requires an Idempotency-Key",
            P::IdempotencyKeyInvalid => "The Idempotency-Key is not one",
            P::IdempotencyKeyReused => "The Idempotency-Key was used for another request",
            P::DuplicateInProgress => "The same request is still being answered",
            P::NoUpstream => "No upstream of this route can be used now",
        }
    }

    /// The stable name by which clients and pages know it.
    pub fn slug(self) -> &'static str {
        match self {
            P::RouteNotFound => "route-not-found",
            P::MalformedRequest => "malformed-request",
            P::RequestTooLarge => "request-too-large",
            P::RequestTimeout => "request-timeout",
            P::UpstreamUnreachable => "upstream-unreachable",
            P::UpstreamBroken => "upstream-broken",
            P::UpstreamTimeout => "upstream-timeout",
            P::ResponseTooLarge => "response-too-large",
            P::QueueFull => "queue-full",
            P::Draining => "draining",
            P::StoreUnavailable => "store-unavailable",
            P::JobNotFound => "job-not-found",
            P::JobCancelled => "job-cancelled",
            P::JobExpired => "job-expired",
            P::Interrupted => "interrupted",
            P::DeadlineExceeded => "deadline-exceeded",
            P::RouteGone => "route-gone",
            P::StorageDamaged => "storage-damaged",
            P::JobStateConflict => "job-state-conflict",
            P::RangeNotSatisfiable => "range-not-satisfiable",
            P::MethodNotAllowed => "method-not-allowed",
            P::Internal => "internal",
            P::UpgradeNotSupported => "upgrade-not-supported",
            P::Overloaded => "overloaded",
            P::LoopDetected => "loop-detected",
            P::HeadersTooLarge => "headers-too-large",
            P::TargetTooLong => "target-too-long",
            P::InvalidParameter => "invalid-parameter",
            P::RetriesExhausted => "retries-exhausted",
            P::ConfigInvalid => "config-invalid",
            P::RateLimited => "rate-limited",
            P::IdempotencyKeyRequired => "idempotency-key-required",
            P::IdempotencyKeyInvalid => "idempotency-key-invalid",
            P::IdempotencyKeyReused => "idempotency-key-reused",
            P::DuplicateInProgress => "duplicate-in-progress",
            P::NoUpstream => "no-upstream",
            P::AccessDenied => "access-denied",
            P::UpgradeRequired => "upgrade-required",
            P::CallbackRefused => "callback-refused",
            P::DeliveryNotFound => "delivery-not-found",
            P::PreconditionFailed => "precondition-failed",
        }
    }

    /// The page's name: `RC0001` and so on.
    pub fn page(self) -> String {
        format!("RC{:04}", self.number())
    }

    /// The `message` member that API Gateway clients look for.
    pub fn message(self) -> &'static str {
        match self.status() {
            504 => "Endpoint request timed out",
            503 => "Service Unavailable",
            _ => self.title(),
        }
    }
}
