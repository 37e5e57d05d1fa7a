//! What happened in a run, in order. Workloads write it, checkers read it, and its text is what two
//! runs of the same seed must have in common to the last byte.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use raincheck_core::id::JobId;
use raincheck_core::job::Status;
use tokio::time::Instant;

/// One request that a client sent.
pub type Tag = u32;

/// A complete response as a client got it, or as the backend gave it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its status.
    pub status: u16,
    /// Its fields in their order, without those that belong to a connection, the date, and those
    /// the gateway adds.
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: Bytes,
    /// Its trailers.
    pub trailers: Vec<(String, String)>,
}

/// What a client got.
#[derive(Clone, PartialEq, Eq)]
pub struct Got {
    /// The response.
    pub message: Message,
    /// Whether it says that the gateway made it.
    pub by_gateway: bool,
    /// The job it is about.
    pub job: Option<JobId>,
}

/// Where a job stood when a client looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As in the status document.
    pub status: String,
    /// As in the status document.
    pub executions: u64,
    /// The code of its error.
    pub error: Option<String>,
}

impl Standing {
    /// Whether the job had ended.
    pub fn is_finished(&self) -> bool {
        !matches!(self.status.as_str(), "queued" | "processing")
    }
}

/// How a look at a job ended.
#[derive(Clone, PartialEq, Eq)]
pub enum Look {
    /// Its status document.
    Status(Standing),
    /// Its result, or the problem that stands for it.
    Result(Box<Got>),
    /// There is no such job.
    Unknown,
}

/// What happened.
#[derive(Clone)]
pub enum What {
    /// A client sends a request.
    Sent {
        tag: Tag,
        intent: u32,
        line: String,
        /// Whether it may be sent again although the backend may have seen it.
        repeatable: bool,
        /// Attempts that its route allows.
        attempts: u32,
        key: Option<String>,
    },
    /// It got a complete response that is no ticket.
    Answered { tag: Tag, got: Box<Got> },
    /// It got a ticket.
    Ticket { tag: Tag, job: JobId },
    /// It got neither: the connection broke, or it left.
    Nothing { tag: Tag, why: String },
    /// A client looked at a job.
    Looked { job: JobId, look: Look },
    /// A client gave up waiting for a job to finish.
    Unfinished { job: JobId },
    /// The backend begins to work on a request.
    Began {
        tag: Tag,
        run: u32,
        job: Option<JobId>,
        attempt: u64,
        /// Whether its body came to its end and is another than the client's.
        mangled: bool,
    },
    /// It has said all of its answer.
    Said {
        tag: Tag,
        run: u32,
        message: Box<Message>,
    },
    /// A change of a job became durable. None: the job was forgotten.
    Durable {
        job: JobId,
        status: Option<Status>,
        token: u64,
        executions: u32,
    },
    /// A process starts, dies or stops.
    Process { number: u32, what: &'static str },
    /// Something was done to the world.
    Fault(String),
    /// How much of everything there is.
    Gauge(Gauge),
}

/// How much of everything there is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gauge {
    /// Whether the world has come to rest, so that all must be back to nothing.
    pub at_rest: bool,
    /// Client connections that the gateway serves.
    pub connections: usize,
    /// Attempts that its runner has on its books.
    pub in_flight: usize,
    /// The most that may be.
    pub in_flight_max: usize,
    /// Jobs that wait.
    pub waiting: u64,
    /// The most that may.
    pub waiting_max: u64,
    /// Stored jobs.
    pub jobs: usize,
    /// Stored bodies that have a file of their own.
    pub files: usize,
}

/// Something that happened, and when.
#[derive(Clone)]
pub struct Event {
    /// Since the run began.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// What happened in a run so far. Clones write to the same.
#[derive(Clone)]
pub struct History {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl History {
    /// Nothing yet.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            events: Arc::default(),
        }
    }

    /// Adds what happens now.
    pub fn add(&self, what: What) {
        let at = self.began.elapsed();
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.push(Event { at, what });
    }

    /// Adds something that was done to the world.
    pub fn fault(&self, what: impl Into<String>) {
        self.add(What::Fault(what.into()));
    }

    /// Everything, in order.
    pub fn events(&self) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.clone()
    }
}

/// The events as text, one a line.
pub fn text(events: &[Event]) -> String {
    let mut text = String::new();
    for event in events {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{event}");
    }
    text
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.at.as_micros() / 1000;
        write!(f, "{:>9}.{:03} {}", millis / 1000, millis % 1000, self.what)
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent {
                tag,
                intent,
                line,
                repeatable,
                attempts,
                key,
            } => write!(
                f,
                "client  #{tag} (intent {intent}) {line} repeatable={repeatable} \
                 attempts={attempts} key={key:?}"
            ),
            Self::Answered { tag, got } => write!(f, "client  #{tag} got {got}"),
            Self::Ticket { tag, job } => write!(f, "client  #{tag} got a ticket for {job}"),
            Self::Nothing { tag, why } => write!(f, "client  #{tag} got nothing: {why}"),
            Self::Looked { job, look } => write!(f, "client  {job} {look}"),
            Self::Unfinished { job } => write!(f, "client  {job} is still not finished"),
            Self::Began {
                tag,
                run,
                job,
                attempt,
                mangled,
            } => {
                let job = job.map_or_else(String::new, |job| job.to_string());
                write!(
                    f,
                    "backend #{tag} run {run} begins: job {job} attempt {attempt} mangled={mangled}"
                )
            }
            Self::Said { tag, run, message } => {
                write!(f, "backend #{tag} run {run} has said {message}")
            }
            Self::Durable {
                job,
                status,
                token,
                executions,
            } => {
                let status = status.map_or("forgotten", Status::as_str);
                write!(
                    f,
                    "disk    {job} {status} token={token} executions={executions}"
                )
            }
            Self::Process { number, what } => write!(f, "process {number} {what}"),
            Self::Fault(what) => write!(f, "fault   {what}"),
            Self::Gauge(gauge) => write!(f, "gauge   {gauge:?}"),
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(Standing {
                status,
                executions,
                error,
            }) => write!(f, "is {status} executions={executions} error={error:?}"),
            Self::Result(got) => write!(f, "has the result {got}"),
            Self::Unknown => write!(f, "is unknown"),
        }
    }
}

impl fmt::Display for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by_gateway { " by gateway" } else { "" };
        write!(f, "{}{by}", self.message)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            fields,
            body,
            trailers,
        } = self;
        write!(
            f,
            "{status} {fields:?} {} bytes {:016x} {trailers:?}",
            body.len(),
            digest(body)
        )
    }
}

/// FNV-1a: enough to show that two bodies differ. Checkers compare the bytes themselves.
fn digest(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}
