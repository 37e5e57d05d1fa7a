//! One attempt from its lease to its end; owned here, not by a connection.
//!
//! A lease is given back only when the attempt's end is durable. Where that could not be told, or
//! the task died, the lease runs out instead, and the attempt is rescued.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use raincheck_core::head::ResponseHead;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::policy::retry::is_final;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Route;
use raincheck_exchange::open::{Bounds, open};
use raincheck_exchange::{Outbound, Recorded, Recorder, Recording};
use raincheck_store::StoredRequest;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accept::AbortOnDrop;
use crate::begin::{Begun, Ready, Unready};
use crate::dispatch::AGAIN;
use crate::{Error, Permit, Shared};

/// What every attempt has.
pub(crate) struct Attempt {
    pub(crate) route: Arc<Route>,
    pub(crate) permit: Permit,
}

/// An exchange on its way to its end; large, so it lives in one place.
type Exchange = Pin<Box<dyn Future<Output = Result<Recorded, Failure>> + Send>>;

/// How a driven exchange left us.
enum Ended {
    Outcome(Box<Result<Recorded, Failure>>),
    /// The grace period of a planned stop is over.
    HandedBack(Seen),
}

impl Shared {
    /// Runs a leased job: starts it durably, then sends it.
    pub(crate) fn spawn_leased(self: &Arc<Self>, attempt: Attempt, id: JobId) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let name = attempt.route.name.clone();
            if shared.run_leased(attempt, id).await {
                shared.store.release(id);
            }
            shared.dispatch.ring(&name);
        });
    }

    /// Whether the lease is to be given back.
    async fn run_leased(self: &Arc<Self>, attempt: Attempt, id: JobId) -> bool {
        if self.draining.is_cancelled() {
            return true;
        }
        match self.begin(id).await {
            Ok(Some(begun)) => self.run(attempt, begun, None).await,
            Ok(None) | Err(Error::NotFound | Error::Refused(_)) => true,
            Err(error) => {
                tracing::error!(job = %id, %error, "an attempt could not begin");
                drop(attempt);
                // While it is leased nobody looks at it.
                tokio::time::sleep(AGAIN).await;
                true
            }
        }
    }

    /// Sends a job whose start is durable; whether its end is durable too.
    pub(crate) async fn run(
        self: &Arc<Self>,
        attempt: Attempt,
        begun: Begun,
        request: Option<Arc<StoredRequest>>,
    ) -> bool {
        let id = begun.job.id();
        match self.ready(id, request).await {
            Ok(ready) if begun.entry.close.is_cancelled() => {
                drop(ready);
                true
            }
            Ok(_) if self.hand_back.is_cancelled() => {
                self.give_back(&begun.job, Seen::Unreached).await
            }
            Ok(ready) => {
                let (shared, route) = (Arc::clone(self), Arc::clone(&attempt.route));
                let job = begun.job.clone();
                let exchange = async move {
                    let (ready, damage) = ready.watched();
                    let exchange = shared.exchange(&route, &job, ready).await;
                    exchange.map_err(|failure| damage.behind(failure))
                };
                self.drive(attempt, begun, Box::pin(exchange)).await
            }
            Err(Unready::Unread(failure)) => self.settle(&begun.job, Err(failure)).await,
            Err(Unready::Damaged(detail)) => {
                tracing::error!(job = %id, detail, "a stored request is damaged");
                let event = Event::Damaged {
                    token: begun.job.token(),
                    detail,
                };
                self.told(id, self.transit(id, &event).await)
            }
        }
    }

    /// Goes on with an exchange that is already driven by a task of its own.
    pub(crate) async fn run_driven(
        self: &Arc<Self>,
        attempt: Attempt,
        begun: Begun,
        driven: JoinHandle<Result<Recorded, Failure>>,
        abort: AbortOnDrop,
    ) -> bool {
        let exchange = async move {
            let _abort = abort;
            driven.await.unwrap_or_else(|_| Err(died()))
        };
        self.drive(attempt, begun, Box::pin(exchange)).await
    }

    /// One exchange, recorded to its end.
    async fn exchange(&self, route: &Route, job: &Job, ready: Ready) -> Result<Recorded, Failure> {
        let now = self.now();
        let left = job.deadline().map(|deadline| deadline.since(now));
        let timeouts = Timeouts::new(route, left);
        let outbound = Outbound {
            job: job.id(),
            attempt: job.attempt(),
            deadline: timeouts.total.map(|total| now.after(total)),
            progress: self.reports.url(job.id(), job.attempt()),
        };
        let wire = outbound.whole(route.dressed(ready.head), &ready.body, &ready.trailers);
        let bounds = Bounds {
            timeouts,
            max_response: route.max_response,
            attended: std::time::Duration::ZERO,
        };
        let opened = open(&self.upstreams, &route.upstream, wire, bounds).await?;
        let opened = opened.shown_by(route);
        let recorder = Recorder::new(&*self.store);
        recorder.begin(&opened.head);
        self.show(job, &opened.head, recorder.recording());
        recorder.record(opened).await
    }

    /// Lets clients read what is recorded of a running attempt, if it is the job's answer.
    pub(crate) fn show(&self, job: &Job, head: &ResponseHead, recording: &Arc<Recording>) {
        if is_final(job, head.status) {
            self.running.show(job.id(), job.token(), recording);
            self.watchers.notify(job.id());
        }
    }

    /// Drives an exchange until it ends, is closed, or must be handed back; then says so. Whether
    /// what was said is durable.
    async fn drive(&self, attempt: Attempt, begun: Begun, exchange: Exchange) -> bool {
        let Attempt { route, permit } = attempt;
        let Begun { job, entry } = begun;
        let ended = race(exchange, &entry.close, &self.hand_back).await;
        drop(permit);
        let metrics = self.metrics.route(&route.name);
        match ended {
            Ended::Outcome(result) => {
                let took = self
                    .now()
                    .since(job.started_at().unwrap_or(job.created_at()));
                if !entry.close.is_cancelled() {
                    self.pace.took(&route.name, took);
                }
                if let Some(metrics) = metrics {
                    metrics.attempt(result.is_ok(), took);
                }
                if let Err(failure) = &*result {
                    tell(&job, failure);
                }
                self.settle(&job, *result).await
            }
            Ended::HandedBack(seen) => {
                if let Some(metrics) = metrics {
                    metrics.handed_back();
                }
                self.give_back(&job, seen).await
            }
        }
    }

    async fn give_back(&self, job: &Job, seen: Seen) -> bool {
        let event = Event::HandBack {
            token: job.token(),
            seen,
        };
        self.told(job.id(), self.transit(job.id(), &event).await)
    }

    /// Whether an attempt's end is durable, its own or another that came first.
    fn told(&self, id: JobId, result: Result<Option<Job>, Error>) -> bool {
        match result {
            Ok(_) | Err(Error::NotFound | Error::Refused(_)) => true,
            Err(error) => {
                tracing::error!(job = %id, %error, "an attempt's end could not be stored");
                false
            }
        }
    }
}

async fn race(
    exchange: Exchange,
    close: &CancellationToken,
    hand_back: &CancellationToken,
) -> Ended {
    tokio::select! {
        biased;
        result = exchange => Ended::Outcome(Box::new(result)),
        () = close.cancelled() => Ended::Outcome(Box::new(Err(closed()))),
        () = hand_back.cancelled() => Ended::HandedBack(Seen::Unknown),
    }
}

/// What is known of a failed attempt, for whoever has to find out whether the backend worked.
fn tell(job: &Job, failure: &Failure) {
    tracing::info!(
        job = %job.id(),
        attempt = job.attempt(),
        cause = failure.cause.problem().slug(),
        sent = failure.seen.as_str(),
        detail = %failure.detail,
        "an attempt failed"
    );
}

fn closed() -> Failure {
    Failure {
        cause: Cause::Cancelled,
        seen: Seen::Unknown,
        detail: "cancelled".to_owned(),
    }
}

fn died() -> Failure {
    let detail = "the task that drove the exchange failed".to_owned();
    Failure {
        cause: Cause::Broken,
        seen: Seen::Unknown,
        detail,
    }
}
