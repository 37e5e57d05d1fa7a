//! One attempt from its lease to its settlement; owned here, not by a connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, apply};
use raincheck_core::outcome::{Cause, Failure, Outcome};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Route;
use raincheck_exchange::open::{Bounds, open};
use raincheck_exchange::{Outbound, Recorded, Recorder, RequestBody};
use raincheck_store::{Error as StoreError, StoredRequest, StoredResponse};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accept::{AbortOnDrop, CLOSED_SEEN};
use crate::{Error, Permit, Shared};

/// What every attempt has.
pub(crate) struct Attempt {
    pub(crate) route: Arc<Route>,
    pub(crate) permit: Permit,
}

/// A job whose start is durable, with the request to send.
pub(crate) struct Begun {
    pub(crate) job: Job,
    pub(crate) request: Arc<StoredRequest>,
}

/// How a driven exchange left us.
enum Ended {
    Outcome(Result<Recorded, Failure>),
    /// The grace period of a planned stop is over.
    HandedBack,
}

impl Shared {
    /// Runs a leased job: starts it durably, then sends it.
    pub(crate) fn spawn_leased(self: &Arc<Self>, attempt: Attempt, id: JobId) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            match shared.begin(id).await {
                Ok(begun) => shared.run(attempt, begun).await,
                Err(Error::NotFound | Error::Refused(_)) => {}
                Err(error) => tracing::error!(job = %id, %error, "an attempt could not begin"),
            }
            shared.store.release(id);
        });
    }

    /// Sends a job whose start is durable.
    pub(crate) fn spawn_attempt(self: &Arc<Self>, attempt: Attempt, begun: Begun) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let id = begun.job.id();
            shared.run(attempt, begun).await;
            shared.store.release(id);
        });
    }

    /// Goes on with an exchange that is already driven by a task of its own.
    pub(crate) fn spawn_driven(
        self: &Arc<Self>,
        attempt: Attempt,
        job: Job,
        driven: JoinHandle<Result<Recorded, Failure>>,
        abort: AbortOnDrop,
    ) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let exchange = async move {
                let _abort = abort;
                driven.await.unwrap_or_else(|_| Err(died()))
            };
            let id = job.id();
            shared.drive(attempt, job, exchange).await;
            shared.store.release(id);
        });
    }

    async fn begin(&self, id: JobId) -> Result<Begun, Error> {
        let job = self.transit(id, &Event::Start).await?.ok_or(Error::NotFound)?;
        match self.store.request(id).await {
            Ok(Some(request)) => Ok(Begun { job, request }),
            Ok(None) => self.damaged(&job, "its request is missing").await,
            Err(StoreError::Corrupt(detail)) => self.damaged(&job, &detail).await,
            Err(error) => Err(error.into()),
        }
    }

    async fn damaged(&self, job: &Job, detail: &str) -> Result<Begun, Error> {
        tracing::error!(job = %job.id(), detail, "a stored request is damaged");
        let event = Event::Damaged { token: job.token(), detail: detail.to_owned() };
        self.transit(job.id(), &event).await?;
        Err(Error::NotFound)
    }

    async fn run(self: &Arc<Self>, attempt: Attempt, begun: Begun) {
        let Begun { job, request } = begun;
        let shared = Arc::clone(self);
        let route = Arc::clone(&attempt.route);
        let view = job.clone();
        let exchange = async move { shared.exchange(&route, &view, &request).await };
        self.drive(attempt, job, exchange).await;
    }

    /// One exchange, recorded to its end.
    async fn exchange(
        &self,
        route: &Route,
        job: &Job,
        request: &StoredRequest,
    ) -> Result<Recorded, Failure> {
        let now = self.now();
        let left = job.deadline().map(|deadline| deadline.since(now));
        let timeouts = Timeouts::new(route, left);
        let outbound = Outbound {
            job: job.id(),
            attempt: job.attempt(),
            deadline: timeouts.total.map(|total| now.after(total)),
        };
        let body = RequestBody::load(&request.body, &*self.store)
            .await
            .map_err(|error| raincheck_exchange::record::storage(&error))?;
        let wire = outbound.request(request.head.clone(), body.outgoing(&request.trailers));
        let bounds = Bounds { timeouts, max_response: route.max_response };
        let opened = open(&self.upstreams, &route.upstream, wire, bounds).await?;
        Recorder::new(&*self.store).record(opened).await
    }

    /// Drives an exchange until it ends, is closed, or must be handed back; then says so.
    async fn drive(
        &self,
        attempt: Attempt,
        job: Job,
        exchange: impl Future<Output = Result<Recorded, Failure>>,
    ) {
        let Attempt { route, permit } = attempt;
        let begun = tokio::time::Instant::now();
        let entry = self.running.enter(job.id(), job.token());
        let ended = race(exchange, &entry.close, &self.hand_back).await;
        drop(permit);
        self.dispatch.ring(&route.name);
        let took = begun.elapsed();
        let metrics = self.metrics.route(&route.name);
        match ended {
            Ended::Outcome(result) => {
                self.pace.took(&route.name, took);
                if let Some(metrics) = metrics {
                    metrics.attempt(result.is_ok(), took);
                }
                self.settle(&job, result).await;
            }
            Ended::HandedBack => {
                if let Some(metrics) = metrics {
                    metrics.handed_back();
                }
                let event = Event::HandBack { token: job.token(), seen: CLOSED_SEEN };
                if let Err(error) = self.transit(job.id(), &event).await {
                    tracing::warn!(job = %job.id(), %error, "an attempt could not be handed back");
                }
            }
        }
    }

    /// Tells how an attempt ended, as often as it takes: the answer is at hand and must not be
    /// lost to a disk that is full for a minute.
    async fn settle(&self, job: &Job, result: Result<Recorded, Failure>) {
        let mut wait = Duration::from_millis(100);
        for _ in 0..SETTLE_TRIES {
            match self.try_settle(job, &result).await {
                Ok(()) | Err(Error::NotFound | Error::Refused(_)) => return,
                Err(Error::Store(StoreError::Fenced(_))) => return,
                Err(error) if self.store.fault().is_some() => {
                    tracing::error!(job = %job.id(), %error, "an answer could not be stored");
                    return;
                }
                Err(error) => {
                    tracing::warn!(job = %job.id(), %error, "an answer is not stored yet");
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(5));
        }
        let lost = Err(raincheck_exchange::record::storage(&StoreError::Unavailable(
            "the store would not take the answer".to_owned(),
        )));
        if let Err(error) = self.try_settle(job, &lost).await {
            tracing::error!(job = %job.id(), %error, "an attempt's end could not be stored");
        }
    }

    async fn try_settle(&self, job: &Job, result: &Result<Recorded, Failure>) -> Result<(), Error> {
        let now = self.now();
        let outcome = match result {
            Ok(recorded) => Outcome::Answered {
                response: recorded.summary(),
                retry_after: recorded.retry_after(now),
            },
            Err(failure) => Outcome::Failed(failure.clone()),
        };
        let jitter = self.ambient.number();
        let event = Event::Settle { token: job.token(), outcome, jitter };
        let mut current = job.clone();
        loop {
            let transition = apply(&current, &event, now)?;
            let keeps = transition.next.as_ref().is_some_and(|next| next.response().is_some());
            let response = match result {
                Ok(recorded) if keeps => Some(stored(job, recorded).await?),
                _ => None,
            };
            match self.commit(&current, transition, Some(job.token()), response).await {
                Err(StoreError::Conflict { .. }) => {
                    current = self.store.job(job.id()).await?.ok_or(Error::NotFound)?;
                }
                done => return Ok(done.map(|_| ())?),
            }
        }
    }
}

/// How often an answer is offered to a store that will not take it: about five minutes.
const SETTLE_TRIES: usize = 64;

async fn stored(job: &Job, recorded: &Recorded) -> Result<Arc<StoredResponse>, StoreError> {
    Ok(Arc::new(StoredResponse {
        head: recorded.head.clone(),
        body: recorded.body.persist().await?,
        trailers: recorded.trailers.clone(),
        attempt: job.attempt(),
    }))
}

async fn race(
    exchange: impl Future<Output = Result<Recorded, Failure>>,
    close: &CancellationToken,
    hand_back: &CancellationToken,
) -> Ended {
    tokio::select! {
        biased;
        result = exchange => Ended::Outcome(result),
        () = close.cancelled() => Ended::Outcome(Err(closed())),
        () = hand_back.cancelled() => Ended::HandedBack,
    }
}

fn closed() -> Failure {
    Failure { cause: Cause::Cancelled, seen: CLOSED_SEEN, detail: "cancelled".to_owned() }
}

fn died() -> Failure {
    let detail = "the task that drove the exchange failed".to_owned();
    Failure { cause: Cause::Broken, seen: CLOSED_SEEN, detail }
}
