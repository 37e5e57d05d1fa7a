//! A job: one accepted request and everything about it but its bytes. Its fields change only in
//! [`apply`], so they are read through methods.

pub mod action;
mod cancel;
pub mod diagram;
mod expire;
mod refused;
pub mod remains;
mod rescue;
mod settle;
mod start;
pub mod submit;
mod tell;

mod apply;
mod event;

use std::time::Duration;

pub use action::Action;
pub use apply::{Transition, apply};
pub use event::{Event, EventKind};
pub use refused::Refused;
pub use remains::{Remains, damaged};
pub use submit::{Submission, submit, submit_started};

use crate::callback::Callback;
use crate::id::{FencingToken, JobId, Revision, RouteName};
use crate::outcome::ResponseSummary;
use crate::problem::ProblemCode;
use crate::route::RetryPolicy;
use crate::time::Timestamp;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Waiting for its next attempt.
    Queued,
    /// An attempt is running.
    Processing,
    /// There is an answer.
    Succeeded,
    /// No answer could be had, or retries ran out.
    Failed,
    /// Cancelled before it had an answer.
    Cancelled,
    /// Its deadline passed while it waited.
    Expired,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Processing,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::Expired,
    ];

    /// The word clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The status this word means.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }

    /// Whether the job has ended.
    pub fn is_finished(self) -> bool {
        match self {
            Self::Queued | Self::Processing => false,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::Expired => true,
        }
    }
}

/// What was promised when the job was accepted; kept with it, so that a changed config does not
/// change an old promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// When to try again.
    pub retry: RetryPolicy,
    /// Whether the request may be sent again although the backend may have seen it: its method is
    /// idempotent, or the route says so.
    pub repeatable: bool,
    /// How long it is kept once finished.
    pub retention: Duration,
    /// How long it may take from acceptance, or from a retry by hand, to its end.
    pub deadline: Option<Duration>,
}

/// Why a job has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    /// Which problem.
    pub code: ProblemCode,
    /// What happened, for a person.
    pub detail: String,
}

/// One accepted request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    fields: Fields,
}

/// A job's fields, for engines that write them down and read them back. Not a way to change a job:
/// [`Job::restore`] refuses what [`Job::check`] would.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each field is documented on the method of the same name"
)]
pub struct Fields {
    pub id: JobId,
    pub revision: Revision,
    pub route: RouteName,
    pub status: Status,
    pub due_at: Option<Timestamp>,
    pub token: FencingToken,
    pub attempt: u32,
    pub attempts_max: u32,
    pub executions: u32,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
    pub deadline: Option<Timestamp>,
    pub terms: Terms,
    pub response: Option<ResponseSummary>,
    pub error: Option<JobError>,
    pub callback: Option<Box<Callback>>,
}

/// Fields that no history of a job can lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a job: {0}")]
pub struct Impossible(pub &'static str);

impl Job {
    /// A job read back from where it was written down.
    pub fn restore(fields: Fields) -> Result<Self, Impossible> {
        let job = Self { fields };
        job.check()?;
        Ok(job)
    }

    /// All fields, to write them down.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// What must hold in each status.
    pub fn check(&self) -> Result<(), Impossible> {
        let f = &self.fields;
        let must = |holds: bool, why| if holds { Ok(()) } else { Err(Impossible(why)) };
        let finished = f.status.is_finished();
        must(f.attempts_max >= 1, "no attempt is allowed")?;
        must(f.attempt <= f.attempts_max, "more attempts than allowed")?;
        must(
            f.due_at.is_some() == (f.status == Status::Queued),
            "due exactly while queued",
        )?;
        must(
            f.finished_at.is_some() == finished,
            "an end time exactly when finished",
        )?;
        must(
            f.expires_at.is_some() == finished,
            "an expiry exactly when finished",
        )?;
        must(
            f.status != Status::Processing || f.attempt >= 1,
            "processing without an attempt",
        )?;
        must(
            f.status != Status::Succeeded || f.response.is_some(),
            "success needs a response",
        )?;
        must(
            f.status != Status::Succeeded || f.error.is_none(),
            "success has no error",
        )?;
        must(
            f.status != Status::Failed || f.error.is_some(),
            "failure needs an error",
        )?;
        must(finished || f.error.is_none(), "an error before the end")?;
        must(
            finished || f.response.is_none(),
            "a response before the end",
        )?;
        must(
            finished || self.tell_at().is_none(),
            "an end to tell of before the end",
        )?;
        let deliveries = self.callback().map_or(&[][..], |own| &own.deliveries);
        let earlier = deliveries
            .split_last()
            .map_or(&[][..], |(_, earlier)| earlier);
        must(
            earlier.iter().all(|delivery| delivery.due_at().is_none()),
            "an earlier end to tell of",
        )
    }

    /// Its id.
    pub fn id(&self) -> JobId {
        self.fields.id
    }

    /// How often it has been written.
    pub fn revision(&self) -> Revision {
        self.fields.revision
    }

    /// The route that accepted it.
    pub fn route(&self) -> &RouteName {
        &self.fields.route
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        self.fields.status
    }

    /// When its next attempt may begin, while it is queued.
    pub fn due_at(&self) -> Option<Timestamp> {
        self.fields.due_at
    }

    /// The token of its latest attempt.
    pub fn token(&self) -> FencingToken {
        self.fields.token
    }

    /// The number of its latest attempt; 0 before the first.
    pub fn attempt(&self) -> u32 {
        self.fields.attempt
    }

    /// How many attempts it may have.
    pub fn attempts_max(&self) -> u32 {
        self.fields.attempts_max
    }

    /// How many times the backend may have seen the request.
    pub fn executions(&self) -> u32 {
        self.fields.executions
    }

    /// When it was accepted.
    pub fn created_at(&self) -> Timestamp {
        self.fields.created_at
    }

    /// When its latest attempt began.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.fields.started_at
    }

    /// When it ended.
    pub fn finished_at(&self) -> Option<Timestamp> {
        self.fields.finished_at
    }

    /// When it will be forgotten.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.fields.expires_at
    }

    /// When it must have ended.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.fields.deadline
    }

    /// What was promised.
    pub fn terms(&self) -> &Terms {
        &self.fields.terms
    }

    /// The answer, in short.
    pub fn response(&self) -> Option<&ResponseSummary> {
        self.fields.response.as_ref()
    }

    /// Where its end is told, if anywhere.
    pub fn callback(&self) -> Option<&Callback> {
        self.fields.callback.as_deref()
    }

    /// When its end is to be told, while that is still to be done.
    pub fn tell_at(&self) -> Option<Timestamp> {
        self.callback()?.pending()?.due_at()
    }

    /// When somebody must look at it although nothing happened to it: at the deadline of one that
    /// waits, and at the end of the retention of one that has ended and whose end is told.
    pub fn over_at(&self) -> Option<Timestamp> {
        match self.status() {
            Status::Queued => self.deadline(),
            Status::Processing => None,
            _ if self.tell_at().is_some() => None,
            _ => self.expires_at(),
        }
    }

    /// Why there is no answer.
    pub fn error(&self) -> Option<&JobError> {
        self.fields.error.as_ref()
    }
}
