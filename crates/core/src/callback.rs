//! Where a caller wants to hear of its job's end, and what became of telling it.
//!
//! A delivery tells of one end of a job. It is part of the job, so it becomes durable in the same
//! commit as the end that it tells of. Only the latest delivery can be under way: a job that runs
//! again has not ended after all.

use std::time::Duration;

use crate::id::JobId;
use crate::job::Status;
use crate::limits::{DELIVERIES_KEPT, TRIES_KEPT};
use crate::time::Timestamp;

/// Where to tell of a job's end, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The URL, which was a good [`Target`](crate::egress::Target) when the job was accepted.
    pub url: Box<str>,
    /// A number for its host and port; see [`Target::receiver`](crate::egress::Target::receiver).
    pub receiver: u64,
    /// One for each end of the job, oldest first: the latest [`DELIVERIES_KEPT`].
    pub deliveries: Vec<Delivery>,
}

/// The telling of one end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Which end of the job, from 1.
    pub number: u32,
    /// How the job had ended.
    pub told: Status,
    /// When it had.
    pub created_at: Timestamp,
    /// How the telling stands.
    pub state: DeliveryState,
    /// Tries since it began, or was last asked for by hand.
    pub tries_made: u32,
    /// The latest [`TRIES_KEPT`] tries, oldest first.
    pub tries: Vec<Try>,
}

/// How a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried, the first time or again.
    Pending {
        /// When.
        due_at: Timestamp,
    },
    /// The receiver has it.
    Delivered,
    /// No further try is made.
    Failed,
    /// The receiver said that it wants no more (410).
    Gone,
    /// The job was run again before the receiver had it.
    Withdrawn,
}

impl DeliveryState {
    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Gone => "gone",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// One try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Try {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What came of it.
    pub outcome: TryOutcome,
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryOutcome {
    /// The receiver answered with this status.
    Answered(u16),
    /// It did not.
    Failed(TryError),
}

/// Why there was no answer; never a text, so that nothing of the target can be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TryError {
    /// The URL leads where this gateway does not call, or its host does not resolve.
    Denied,
    /// No connection.
    Connect,
    /// No TLS: often a certificate that is not trusted.
    Tls,
    /// No answer in time.
    Timeout,
    /// The connection broke, or what came is not HTTP.
    Broken,
    /// The egress proxy could not be reached, or would not.
    Proxy,
}

impl TryError {
    /// Every cause.
    pub const ALL: [Self; 6] = [
        Self::Denied,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Broken,
        Self::Proxy,
    ];

    /// The word that is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Proxy => "proxy",
        }
    }

    /// The same for a person.
    pub fn detail(self) -> &'static str {
        match self {
            Self::Denied => "the URL's host does not resolve, or the gateway may not call it",
            Self::Connect => "no connection could be made",
            Self::Tls => "TLS failed; its certificate may not be one that is trusted",
            Self::Timeout => "no answer came in time",
            Self::Broken => "the connection broke before an answer",
            Self::Proxy => "the gateway's egress proxy did not connect",
        }
    }
}

impl TryOutcome {
    /// Whether the receiver has the message: 200 to 299 only.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Answered(200..=299))
    }
}

impl Delivery {
    /// When it is to be tried, if it is.
    pub fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Pending { due_at } => Some(due_at),
            _ => None,
        }
    }

    /// `webhook-id`: the same in every try, different for every end of every job. Nobody but this
    /// gateway can choose it, and it has no dot in it.
    pub fn webhook_id(&self, job: JobId) -> String {
        format!("whk_{}_{}", job.to_string().replace('-', ""), self.number)
    }
}

impl Callback {
    /// A URL to be told.
    pub fn new(url: Box<str>, receiver: u64) -> Self {
        Self {
            url,
            receiver,
            deliveries: Vec::new(),
        }
    }

    /// The delivery that is under way, if one is.
    pub fn pending(&self) -> Option<&Delivery> {
        let latest = self.deliveries.last();
        latest.filter(|delivery| delivery.due_at().is_some())
    }

    /// The job has ended: it is to be told, unless the receiver wants to hear no more.
    pub(crate) fn ended(&mut self, told: Status, now: Timestamp) {
        let gone = |own: &Delivery| own.state == DeliveryState::Gone;
        if self.deliveries.iter().any(gone) {
            return;
        }
        let number = self.deliveries.last().map_or(0, |latest| latest.number);
        if self.deliveries.len() >= DELIVERIES_KEPT {
            self.deliveries.remove(0);
        }
        self.deliveries.push(Delivery {
            number: number.saturating_add(1),
            told,
            created_at: now,
            state: DeliveryState::Pending { due_at: now },
            tries_made: 0,
            tries: Vec::new(),
        });
    }

    /// The job runs again: there is nothing to tell.
    pub(crate) fn withdraw(&mut self) {
        if let Some(latest) = self.deliveries.last_mut()
            && latest.due_at().is_some()
        {
            latest.state = DeliveryState::Withdrawn;
        }
    }
}

impl Delivery {
    /// Writes a try down; `wait` until the next, or none is left.
    pub(crate) fn tried(&mut self, made: Try, wait: Option<Duration>, now: Timestamp) {
        self.tries_made = self.tries_made.saturating_add(1);
        if self.tries.len() >= TRIES_KEPT {
            self.tries.remove(0);
        }
        self.tries.push(made);
        self.state = match (made.outcome, wait) {
            (outcome, _) if outcome.is_success() => DeliveryState::Delivered,
            (TryOutcome::Answered(410), _) => DeliveryState::Gone,
            (_, Some(wait)) => DeliveryState::Pending {
                due_at: now.after(wait),
            },
            (_, None) => DeliveryState::Failed,
        };
    }

    /// Somebody wants it to be tried again from the first.
    pub(crate) fn again(&mut self, now: Timestamp) {
        self.tries_made = 0;
        self.state = DeliveryState::Pending { due_at: now };
    }
}

/// What messages are signed with. Its debug form says nothing of the key.
#[derive(Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// HMAC-SHA256 (`whsec_`): whoever can check a signature can make one.
    Symmetric(Vec<u8>),
    /// Ed25519 (`whsk_`): seed and public key.
    Ed25519 {
        /// The private half.
        seed: [u8; 32],
        /// The public half.
        public: [u8; 32],
    },
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Symmetric(_) => "Symmetric(..)",
            Self::Ed25519 { .. } => "Ed25519(..)",
        })
    }
}

/// The shape of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageFormat {
    /// That of Standard Webhooks: `type`, `timestamp`, `data`.
    #[default]
    Standard,
    /// CloudEvents 1.0, structured mode.
    CloudEvents,
}
