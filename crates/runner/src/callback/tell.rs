//! Finds what is due to be told, and tells it.
//!
//! A try begins in a quick place. One that has no answer within [`DELIVERY_PATIENCE`] moves to a
//! slow place, or is given up where there is none: however many receivers hang, there are quick
//! places again after that time.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::callback::{Delivery, DeliveryState, Try, TryError, TryOutcome};
use raincheck_core::egress::Target;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};
use raincheck_core::limits::DELIVERY_PATIENCE;
use raincheck_core::policy::delivery::wait;
use raincheck_core::time::Timestamp;
use raincheck_upstreams::egress::Posted;
use tokio::sync::OwnedSemaphorePermit;

use super::Telling;
use super::desk::Health;
use super::message::Message;
use crate::{Error, Runner, Shared, told};

/// Jobs found in one look into the store.
const PAGE: usize = 512;
/// How often the store is looked into even if nothing says so: after a clock step backwards a due
/// time may have moved.
const ROUND: Duration = Duration::from_secs(30);
/// The shortest wait between two looks; what becomes due within it is found together.
const PAUSE: Duration = Duration::from_millis(50);
/// The same where something was left for want of room.
const CROWDED: Duration = Duration::from_secs(1);
/// How long a try may go on once a stop has begun. What is cut is told again after the start.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Runs until the runner drains.
pub(crate) async fn run(shared: Arc<Shared>, telling: Arc<Telling>) {
    // When to look into the store: at once, for what an earlier process left.
    let mut look = shared.now();
    loop {
        if shared.now() >= look && !shared.is_resting() {
            look = shared.now().after(PAUSE.max(shared.look(&telling).await));
        }
        shared.begin_tries(&telling);
        let (left, next) = telling.desk.take_outlook();
        let now = shared.now();
        if let Some(next) = next {
            look = look.min(next.max(now.after(PAUSE)));
        }
        if left {
            look = look.min(now.after(CROWDED));
        }
        tokio::select! {
            biased;
            () = shared.draining.cancelled() => return,
            () = telling.bell.notified() => {}
            () = tokio::time::sleep(look.since(now).clamp(Duration::from_millis(1), ROUND)) => {}
        }
    }
}

impl Shared {
    /// Finds all that is due; says how long until there is more.
    async fn look(&self, telling: &Telling) -> Duration {
        let now = self.now();
        match self.find(telling, now).await {
            Ok(next) => next.map_or(ROUND, |at| at.since(now).min(ROUND)),
            Err(error) => {
                tracing::error!(%error, "what is to be told could not be read");
                CROWDED
            }
        }
    }

    async fn find(&self, telling: &Telling, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let mut after = None;
        loop {
            let page = self.store.to_tell(after, now, PAGE).await?;
            for found in &page {
                telling.desk.offer(found.job, found.receiver);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some((last.at, last.job)),
                _ => return Ok(self.store.next_to_tell(now).await?),
            }
        }
    }

    /// Begins as many tries as there are quick places and receivers that may have one.
    fn begin_tries(self: &Arc<Self>, telling: &Arc<Telling>) {
        while !self.draining.is_cancelled() && !self.is_resting() {
            let Ok(place) = Arc::clone(&telling.quick).try_acquire_owned() else {
                return;
            };
            let Some((receiver, job)) = telling.desk.next() else {
                return;
            };
            let (shared, telling) = (Arc::clone(self), Arc::clone(telling));
            self.tasks.spawn(async move {
                let health = shared.tell(&telling, job, place).await;
                telling.desk.done(receiver, job, health);
                // It may have ended anew meanwhile, which nobody was let in for.
                if let Ok(job) = shared.store.job(job).await
                    && let Some(job) = job
                    && let Some(at) = job.tell_at()
                    && health != Health::Unknown
                {
                    shared.tell_at(job.id(), receiver, at);
                }
                telling.bell.notify_one();
            });
        }
    }

    /// One try, written down at its end.
    async fn tell(
        self: &Arc<Self>,
        telling: &Telling,
        id: JobId,
        place: OwnedSemaphorePermit,
    ) -> Health {
        let job = match self.load(id).await {
            Ok(job) => job,
            Err(Error::NotFound) => return Health::Unknown,
            Err(error) => {
                tracing::error!(job = %id, %error, "a job whose end is to be told cannot be read");
                telling.desk.look_at(self.now().after(ROUND));
                return Health::Unknown;
            }
        };
        let now = self.now();
        let Some(delivery) = job.callback().and_then(|callback| callback.pending()) else {
            return Health::Unknown;
        };
        if delivery.due_at().is_none_or(|at| at > now) {
            return Health::Unknown;
        }
        let posting = pin!(self.post(telling, &job, delivery, now));
        let Some(posted) = self.within(telling, posting, place).await else {
            return Health::Unknown;
        };
        let made = Try {
            at: now,
            took: self.now().since(now),
            outcome: posted.outcome,
        };
        self.write_down(telling, &job, delivery, made, &posted)
            .await;
        match posted.outcome.is_success() {
            true => Health::Good,
            false => Health::Bad,
        }
    }

    async fn post(
        self: &Arc<Self>,
        telling: &Telling,
        job: &Job,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Posted {
        let url = job.callback().map_or("", |callback| &callback.url);
        let webhooks = &telling.webhooks;
        let runner = Runner {
            shared: Arc::clone(self),
        };
        // A damaged one is not shown; the result's own address says so.
        let result = told::inline(&runner, job).await.ok().flatten();
        let message = Message::new(webhooks, job, delivery, result, now);
        match (Target::parse(url), message) {
            (Ok(target), Some(Message { fields, body })) => {
                webhooks.egress.post(&target, fields, body).await
            }
            _ => Posted::failed(TryError::Denied),
        }
    }

    /// What comes of a post: quickly, or in a slow place. None: the process stops, and the next one
    /// tells.
    async fn within<F>(
        &self,
        telling: &Telling,
        mut posting: Pin<&mut F>,
        place: OwnedSemaphorePermit,
    ) -> Option<Posted>
    where
        F: Future<Output = Posted>,
    {
        tokio::select! {
            biased;
            posted = &mut posting => return Some(posted),
            () = self.last_words() => return None,
            () = tokio::time::sleep(DELIVERY_PATIENCE) => {}
        }
        let Ok(_slow) = telling.slow.try_acquire() else {
            return Some(Posted::failed(TryError::Timeout));
        };
        drop(place);
        telling.bell.notify_one();
        tokio::select! {
            biased;
            posted = posting => Some(posted),
            () = self.last_words() => None,
        }
    }

    /// Resolves when a try has gone on for long enough after a stop began.
    async fn last_words(&self) {
        let draining = async {
            self.draining.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = draining => {}
            () = self.hand_back.cancelled() => {}
        }
    }

    /// Writes a try down. One that cannot be is made again: at least once is what is promised.
    async fn write_down(
        &self,
        telling: &Telling,
        job: &Job,
        delivery: &Delivery,
        made: Try,
        posted: &Posted,
    ) {
        // Before anybody can read of it.
        self.metrics
            .webhooks()
            .tried(outcome_word(made.outcome), made.took);
        let asked = posted
            .retry_after
            .as_ref()
            .and_then(|value| raincheck_exchange::record::retry_after(value, self.now()));
        let count = delivery.tries_made.saturating_add(1);
        let jitter = self.ambient.number();
        let schedule = &telling.webhooks.schedule;
        let event = Event::Tried {
            delivery: delivery.number,
            made,
            wait: wait(schedule, count, made.outcome, asked, jitter),
        };
        match self.transit(job.id(), &event).await {
            Ok(Some(next)) => self.say(&next, delivery.number, made),
            // It was forgotten, or runs again.
            Ok(None) | Err(Error::NotFound | Error::Refused(_)) => {}
            Err(error) => {
                tracing::error!(job = %job.id(), %error, "a try to tell of its end is not stored");
                telling.desk.look_at(self.now().after(CROWDED));
            }
        }
    }

    fn say(&self, job: &Job, number: u32, made: Try) {
        let Some(delivery) = job.callback().and_then(|callback| {
            let mut all = callback.deliveries.iter();
            all.find(|own| own.number == number)
        }) else {
            return;
        };
        let (id, tries) = (job.id(), delivery.tries_made);
        let came = match made.outcome {
            TryOutcome::Answered(status) => status.to_string(),
            TryOutcome::Failed(error) => error.as_str().to_owned(),
        };
        match delivery.state {
            DeliveryState::Delivered => {
                tracing::debug!(job = %id, delivery = number, tries, came, "webhook delivered");
            }
            DeliveryState::Pending { due_at } => {
                let next = due_at.to_string();
                tracing::info!(job = %id, delivery = number, tries, came, next, "webhook failed");
            }
            DeliveryState::Failed | DeliveryState::Gone | DeliveryState::Withdrawn => {
                let state = delivery.state.as_str();
                tracing::warn!(job = %id, delivery = number, tries, came, state, "webhook given up");
            }
        }
        if delivery.due_at().is_none() {
            self.metrics.webhooks().ended(delivery.state.as_str());
        }
    }
}

fn outcome_word(outcome: TryOutcome) -> &'static str {
    match outcome {
        TryOutcome::Answered(200..=299) => "2xx",
        TryOutcome::Answered(300..=399) => "3xx",
        TryOutcome::Answered(400..=499) => "4xx",
        TryOutcome::Answered(_) => "5xx",
        TryOutcome::Failed(error) => error.as_str(),
    }
}
