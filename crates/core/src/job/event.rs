//! Everything that can happen to a job after it was accepted.

use std::time::Duration;

use crate::callback::Try;
use crate::id::FencingToken;
use crate::outcome::Outcome;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It was its turn: an attempt begins.
    Start,
    /// The attempt with this token ended. `jitter` is any number, spread evenly over `u64`.
    Settle {
        /// The attempt.
        token: FencingToken,
        /// How it ended.
        outcome: Outcome,
        /// Chance, for the wait before another attempt.
        jitter: u64,
    },
    /// Somebody asked for it to stop.
    Cancel,
    /// Somebody asked for another run of a failed or cancelled job.
    Retry,
    /// The process that ran the attempt with this token is gone, and with it the attempt's end.
    Rescue {
        /// The attempt.
        token: FencingToken,
    },
    /// The process is about to stop and gave up the attempt with this token before its end.
    HandBack {
        /// The attempt.
        token: FencingToken,
        /// How far its request had come.
        seen: crate::outcome::Seen,
    },
    /// Its deadline or its retention may be over.
    Expire,
    /// Somebody asked for a finished job to be forgotten.
    Forget,
    /// The stored request could not be read back.
    Damaged {
        /// The attempt that needed it.
        token: FencingToken,
        /// What is damaged, for a person.
        detail: String,
    },
    /// The stored answer could not be read back.
    AnswerDamaged {
        /// The attempt that got it.
        token: FencingToken,
        /// What is damaged, for a person.
        detail: String,
    },
    /// Its route is not configured any more.
    RouteGone,
    /// A try to tell of its end ended.
    Tried {
        /// Which end.
        delivery: u32,
        /// The try.
        made: Try,
        /// The wait before another, if this was none that counts; none: no other is made.
        wait: Option<Duration>,
    },
    /// Somebody asked for its end to be told again.
    Redeliver {
        /// Which end.
        delivery: u32,
    },
}

/// An event without its details, to draw the diagram and to walk all pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "documented on Event")]
pub enum EventKind {
    Start,
    Settle,
    Cancel,
    Retry,
    Rescue,
    HandBack,
    Expire,
    Forget,
    Damaged,
    AnswerDamaged,
    RouteGone,
    Tried,
    Redeliver,
}

impl Event {
    /// Its kind.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Start => EventKind::Start,
            Self::Settle { .. } => EventKind::Settle,
            Self::Cancel => EventKind::Cancel,
            Self::Retry => EventKind::Retry,
            Self::Rescue { .. } => EventKind::Rescue,
            Self::HandBack { .. } => EventKind::HandBack,
            Self::Expire => EventKind::Expire,
            Self::Forget => EventKind::Forget,
            Self::Damaged { .. } => EventKind::Damaged,
            Self::AnswerDamaged { .. } => EventKind::AnswerDamaged,
            Self::RouteGone => EventKind::RouteGone,
            Self::Tried { .. } => EventKind::Tried,
            Self::Redeliver { .. } => EventKind::Redeliver,
        }
    }
}
