//! A route: what is promised for a method and path. Values only; `config` makes and checks them.

pub mod pattern;
pub mod table;
pub mod upstream;

use std::time::Duration;

use http::{HeaderName, Method};

pub use pattern::{Pattern, PatternError};
pub use table::{RouteTable, TableError};
pub use upstream::{Backends, Group, Member, Scheme, Upstream};

use crate::head::RequestHead;
use crate::id::RouteName;
use crate::limits;
use crate::rate::Rate;
use crate::rewrite::Rewrite;

/// The promise for the requests that match a pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// Its name, unique in a table.
    pub name: RouteName,
    /// Which requests it is for.
    pub pattern: Pattern,
    /// Where the work is done.
    pub upstream: Backends,
    /// How clients are served.
    pub mode: Mode,
    /// How long a client of an auto route is kept waiting.
    pub hold: Duration,
    /// What must be there before the hold ends for the client to get it.
    pub hold_until: HoldUntil,
    /// What a client gets when the hold ends.
    pub on_hold: OnHold,
    /// How a client that outlives its hold is kept instead, where it can be; none: not at all.
    pub keepalive: Option<Keepalive>,
    /// How long one attempt may take, all of it; none: for ever.
    pub timeout: Option<Duration>,
    /// How long connecting may take, TLS included.
    pub connect_timeout: Duration,
    /// How long the upstream may be silent while it owes us bytes; none: only `timeout` counts.
    pub idle_timeout: Option<Duration>,
    /// How long nothing may pass either way after an upgrade; none: for ever.
    pub upgrade_idle: Option<Duration>,
    /// How long a job may take from acceptance to its end, queue and retries included.
    pub deadline: Option<Duration>,
    /// What a client's going away does to an exchange without a ticket.
    pub on_disconnect: OnDisconnect,
    /// Whether a streamed response is recorded from its first byte, so that a client which lost its
    /// connection can go on where it was.
    pub resume: bool,
    /// What becomes of requests that are repeated.
    pub duplicates: Duplicates,
    /// When to try again.
    pub retry: RetryPolicy,
    /// Attempts in flight at most.
    pub concurrency: u32,
    /// Jobs waiting at most; beyond it new ones are refused.
    pub queue: u64,
    /// How long a finished job is kept.
    pub retention: Duration,
    /// Bytes of a request body at most.
    pub max_request: u64,
    /// Bytes of a response body at most; none: no limit.
    pub max_response: Option<u64>,
    /// How often one client may ask; none: as often as it likes.
    pub rate: Option<Rate>,
    /// Where a caller says who is to be told of its job's end; none: nobody is.
    pub callback: Option<Box<CallbackSource>>,
    /// What is changed of requests and answers; none: nothing.
    pub rewrite: Option<Box<Rewrite>>,
}

impl Route {
    /// Whether a backend may see a request of this method twice.
    pub fn repeats(&self, method: &Method) -> bool {
        method.is_idempotent() || self.retry.repeat_unsafe
    }

    /// An auto route with what holds where a config says nothing: the one place of these defaults.
    pub fn new(name: RouteName, pattern: Pattern, upstream: impl Into<Backends>) -> Self {
        let timeout = Some(Mode::Auto.timeout());
        Self {
            name,
            pattern,
            upstream: upstream.into(),
            mode: Mode::Auto,
            hold: Duration::from_secs(25),
            hold_until: HoldUntil::Head,
            on_hold: OnHold::Ticket,
            keepalive: None,
            timeout,
            connect_timeout: Duration::from_secs(5),
            idle_timeout: timeout,
            upgrade_idle: Some(limits::UPGRADE_IDLE_TIMEOUT),
            deadline: None,
            on_disconnect: OnDisconnect::Cancel,
            resume: false,
            duplicates: Duplicates::default(),
            retry: RetryPolicy::default(),
            concurrency: 256,
            queue: 100_000,
            retention: Duration::from_secs(24 * 60 * 60),
            max_request: 1 << 30,
            max_response: None,
            rate: None,
            callback: None,
            rewrite: None,
        }
    }

    /// A request's head with the fields that the upstream gets from the route. Done as it is sent
    /// and not before: a client is known by its own fields, and what the route adds is not stored.
    #[must_use]
    pub fn dressed(&self, mut head: RequestHead) -> RequestHead {
        if let Some(rewrite) = &self.rewrite {
            rewrite.request_fields.apply(&mut head.headers);
        }
        head
    }

    /// Whether there is a server behind it.
    pub fn has_upstream(&self) -> bool {
        self.upstream != Backends::Nobody
    }
}

/// Where in a request a caller says who is to be told of its job's end; the first that is there
/// counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallbackSource {
    /// A header field, which the upstream does not get.
    pub header: Option<HeaderName>,
    /// A parameter of the query.
    pub query: Option<String>,
    /// A place in a JSON body (RFC 6901).
    pub json_pointer: Option<String>,
}

/// How clients of a route are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Relayed; nothing is stored.
    Sync,
    /// Forwarded at once; a ticket when the hold ends first.
    Auto,
    /// Stored, ticketed at once, run from the queue.
    Async,
}

impl Mode {
    /// As written in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Auto => "auto",
            Self::Async => "async",
        }
    }

    /// How long one attempt may take where the config says nothing: what clients are used to where
    /// they wait for it, and longer where they get a ticket.
    pub fn timeout(self) -> Duration {
        match self {
            Self::Sync => Duration::from_secs(29),
            Self::Auto | Self::Async => Duration::from_secs(15 * 60),
        }
    }
}

/// What of the response must be there before the hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldUntil {
    /// The response head: right where the edge streams.
    Head,
    /// The whole response: right behind an edge that buffers and cuts whole responses.
    Complete,
}

/// What a client gets when the hold ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHold {
    /// `202` with the job's links.
    Ticket,
    /// `303` to the result, which redirects to itself until it is there: see
    /// [`crate::policy::redirect`].
    Redirect {
        /// The longest wait of one redirect.
        longest: Duration,
    },
}

/// Bytes that keep a client's connection after its hold, until its job has ended: what stands in
/// front cuts on silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keepalive {
    /// What is sent.
    pub filler: Filler,
    /// How long there is silence at most.
    pub interval: Duration,
}

/// What keeps a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filler {
    /// A stream of Server-Sent Events with comments in it; its last event is the result.
    Events,
    /// Whitespace before a JSON document.
    Whitespace,
}

impl Filler {
    /// As written in a config.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "sse",
            Self::Whitespace => "json-whitespace",
        }
    }

    /// The type of the answer.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Events => "text/event-stream",
            Self::Whitespace => "application/json",
        }
    }
}

/// What a client's going away does to its exchange before there is a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisconnect {
    /// The exchange is closed.
    Cancel,
    /// The exchange goes on as a job.
    Continue,
}

/// What becomes of requests that are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duplicates {
    /// What an `Idempotency-Key` means.
    pub key: KeyUse,
    /// What a repetition gets while its job is still to be answered.
    pub on_unfinished: OnDuplicate,
    /// For how long after its end a job answers repetitions of its request without a key; none:
    /// such requests are never the same.
    pub dedupe: Option<Duration>,
    /// The fields that belong to what is asked, besides method, path, query and body.
    pub fields: Vec<HeaderName>,
    /// The fields by which callers are told apart.
    pub caller: Vec<HeaderName>,
    /// What the going away of all clients does to a request that can be found again.
    pub on_disconnect: OnDisconnect,
}

impl Default for Duplicates {
    /// Keys work, repetitions join, and callers are told apart by what they usually say who they
    /// are with. A request that can be found again goes on without its clients.
    fn default() -> Self {
        Self {
            key: KeyUse::Optional,
            on_unfinished: OnDuplicate::Join,
            dedupe: None,
            fields: Vec::new(),
            caller: vec![
                http::header::AUTHORIZATION,
                http::header::COOKIE,
                HeaderName::from_static("x-api-key"),
            ],
            on_disconnect: OnDisconnect::Continue,
        }
    }
}

/// What an `Idempotency-Key` means to a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// A request may have one.
    Optional,
    /// A request without one is refused.
    Required,
    /// It is the backend's business alone.
    Ignored,
}

/// What a repetition gets while its job is still to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDuplicate {
    /// What whoever sent it first gets.
    Join,
    /// 409.
    Conflict,
}

/// When an attempt that gave no final answer is followed by another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    /// The first wait; doubled for each later one, then spread evenly over zero to itself.
    pub backoff: Duration,
    /// The longest wait.
    pub max_backoff: Duration,
    /// What is retried.
    pub on: RetryOn,
    /// Whether requests with a method that is not idempotent may be sent again although the
    /// backend may have seen them.
    pub repeat_unsafe: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 1,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(60),
            on: RetryOn {
                connect: true,
                timeout: true,
                server_error: true,
                too_many: true,
            },
            repeat_unsafe: false,
        }
    }
}

/// The kinds of failure that are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryOn {
    /// No connection, or it broke before the answer was complete.
    pub connect: bool,
    /// A timeout of the route passed.
    pub timeout: bool,
    /// The backend answered 500 to 599.
    pub server_error: bool,
    /// The backend answered 429.
    pub too_many: bool,
}
