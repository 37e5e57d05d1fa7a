//! Webhooks: tells callers of their jobs' ends, at least once, with tries of their own.
//!
//! * [`message`]: what is sent;
//! * [`desk`]: who waits to be told, by receiver, so that one that hangs keeps nobody else;
//! * [`tell`]: the loop that finds what is due, and one try from the desk to the store;
//! * [`untold`]: what waits where there is nothing to tell it with.

mod desk;
mod message;
mod tell;
pub(crate) mod untold;

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::callback::{Callback, MessageFormat};
use raincheck_core::egress::Target;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_upstreams::egress::Egress;
use tokio::sync::{Notify, Semaphore};

use crate::sign::Signer;
use crate::status::Links;
use crate::{Error, Runner, Shared};
use desk::Desk;
pub(crate) use tell::run;

/// What telling is done with.
pub struct Webhooks {
    /// Sends.
    pub egress: Egress,
    /// Signs.
    pub signer: Signer,
    /// The shape of messages.
    pub format: MessageFormat,
    /// Where the job's URLs in them begin.
    pub links: Links,
    /// The waits before the second try and the later ones.
    pub schedule: Vec<Duration>,
    /// Tries in flight at most. As many again may be in flight that have waited for long.
    pub tries: usize,
}

/// Webhooks of a runner.
pub(crate) struct Telling {
    pub(crate) webhooks: Webhooks,
    desk: Desk,
    /// Rung when there may be something to begin.
    bell: Notify,
    /// Places of tries that have just begun.
    quick: Arc<Semaphore>,
    /// Places of tries that have waited for [`DELIVERY_PATIENCE`](raincheck_core::limits).
    slow: Arc<Semaphore>,
}

impl Telling {
    pub(crate) fn new(webhooks: Webhooks) -> Self {
        let places = || Arc::new(Semaphore::new(webhooks.tries.min(Semaphore::MAX_PERMITS)));
        Self {
            quick: places(),
            slow: places(),
            desk: Desk::default(),
            bell: Notify::new(),
            webhooks,
        }
    }
}

/// How much is being told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TellingNow {
    /// Tries in flight.
    pub in_flight: usize,
    /// Deliveries that are due and wait for their turn, those left in the store not counted.
    pub waiting: usize,
}

impl Runner {
    /// Where to tell of a job's end, made from a URL that its caller named. Resolves the host.
    ///
    /// # Errors
    /// The URL is malformed, may not be called, or does not resolve; which of the last two is not
    /// told.
    pub async fn callback(&self, url: &str) -> Result<Box<Callback>, Problem> {
        let refused = |why: String| {
            let detail = format!("the callback URL is not accepted: {why}");
            Problem::new(ProblemCode::CallbackRefused, detail)
        };
        let target = Target::parse(url).map_err(|error| refused(error.to_string()))?;
        let Some(telling) = &self.shared.telling else {
            return Err(refused("this gateway sends no webhooks".to_owned()));
        };
        let checked = telling.webhooks.egress.check(&target).await;
        checked.map_err(|denied| refused(denied.to_string()))?;
        Ok(Box::new(Callback::new(url.into(), target.receiver())))
    }

    /// Tells of a job's end once more, from the first try.
    ///
    /// # Errors
    /// `NotFound`; `Refused` if there is no such delivery or it is under way; what the store says.
    pub async fn redeliver(&self, id: JobId, delivery: u32) -> Result<Job, Error> {
        if self.shared.telling.is_none() {
            return Err(Error::Untold);
        }
        let event = Event::Redeliver { delivery };
        self.order(id, event).await?.ok_or(Error::NotFound)
    }

    /// How much is being told.
    pub fn telling(&self) -> TellingNow {
        let telling = self.shared.telling.as_ref();
        telling.map_or_else(TellingNow::default, |telling| telling.desk.now())
    }
}

impl Shared {
    /// Looks for what is to be told after a rest.
    pub(crate) fn tell_on(&self) {
        if let Some(telling) = &self.telling {
            telling.bell.notify_one();
        }
    }

    /// An end is to be told at `at`.
    pub(crate) fn tell_at(&self, job: JobId, receiver: u64, at: raincheck_core::time::Timestamp) {
        let Some(telling) = &self.telling else {
            return;
        };
        match at <= self.now() {
            true => _ = telling.desk.offer(job, receiver),
            false => telling.desk.look_at(at),
        }
        telling.bell.notify_one();
    }
}
