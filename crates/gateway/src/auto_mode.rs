//! Forward at once and hold: relayed as if we were not there, or a ticket when the hold ends
//! first, while the same exchange goes on.

use std::sync::Arc;

use http::Response;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::job::{Submission, submit_started};
use raincheck_core::outcome::{Failure, Outcome, ResponseSummary};
use raincheck_core::policy::hold::{Progress, Step, step};
use raincheck_core::policy::retry::{Next, next};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::Problem;
use raincheck_core::route::{HoldUntil, Mode, OnDisconnect, Route};
use raincheck_core::time::Timestamp;
use raincheck_exchange::flight::{ATTENDED, Landed};
use raincheck_exchange::open::{Bounds, open};
use raincheck_exchange::packed::Packed;
use raincheck_exchange::{Flight, Opened, Outbound, Payload, Recorder, replay};
use raincheck_runner::accept::{Accepted, Adopted};
use raincheck_runner::{Permit, Runner};
use tokio::time::Instant;

use crate::resume;
use crate::service::{Service, failed};
use crate::ticket::ticket;

/// An exchange that a client is waiting for. Dropped while it is on its way, because its client is
/// gone, it ends or goes on as the route says.
struct Held<'a> {
    runner: &'a Runner,
    inner: Option<Inner>,
}

pub(crate) struct Inner {
    pub(crate) accepted: Accepted,
    /// The fields of its head, which went out with the exchange.
    fields: Option<Packed>,
    started_at: Timestamp,
    flight: Flight,
    permit: Permit,
}

/// What came of the wait.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, and a box would cost more"
)]
enum Came {
    Landed(Result<Landed, Failure>),
    HoldOver,
}

impl Service {
    /// Serves one request of an auto route; `until` is the end of its hold.
    pub(crate) async fn hold(
        &self,
        mut accepted: Accepted,
        prefer: Prefer,
        until: Instant,
    ) -> Result<Response<Payload>, Problem> {
        let runner = self.runner();
        let permit = match runner.try_permit(&accepted.route) {
            Some(permit) => permit,
            None if accepted.route.mode == Mode::Sync => self.permit(&accepted.route).await?,
            None => match permit_until(runner, &accepted, until).await {
                Some(permit) => permit,
                None => return Box::pin(self.queue(accepted, prefer, until)).await,
            },
        };
        let started_at = runner.ambient().now();
        let (flight, fields) = take_off(runner, &mut accepted, started_at);
        self.hold_flight(
            Inner {
                accepted,
                fields,
                started_at,
                flight,
                permit,
            },
            prefer,
            until,
        )
        .await
    }

    /// Waits for an exchange on its way, or for the end of the hold.
    async fn hold_flight(
        &self,
        inner: Inner,
        prefer: Prefer,
        until: Instant,
    ) -> Result<Response<Payload>, Problem> {
        let Route {
            hold_until, mode, ..
        } = *inner.accepted.route;
        let mut held = Held {
            runner: self.runner(),
            inner: Some(inner),
        };
        match held.wait(until).await {
            Came::Landed(landed) => {
                let Some(inner) = held.inner.take() else {
                    return Err(gone());
                };
                // What is rare is boxed, so that it does not make every other future larger.
                match inner.is_retried(self.runner(), &landed) {
                    true => Box::pin(self.again(inner, landed, prefer, until)).await,
                    false if inner.is_recorded(self.runner(), &landed) => {
                        Box::pin(self.record(inner, landed, prefer)).await
                    }
                    false => {
                        let repeatable = inner.accepted.repeats();
                        land(inner.permit, landed, repeatable)
                    }
                }
            }
            Came::HoldOver => {
                if mode == Mode::Sync {
                    return Err(resume::stopping());
                }
                debug_assert_eq!(step(hold_until, Progress::Waiting, true), Step::Ticket);
                Box::pin(self.hand_over(held, prefer)).await
            }
        }
    }

    /// The hold is over: the exchange becomes a job, and the client gets its ticket.
    async fn hand_over(
        &self,
        mut held: Held<'_>,
        prefer: Prefer,
    ) -> Result<Response<Payload>, Problem> {
        let Some(mut inner) = held.inner.take() else {
            return Err(gone());
        };
        inner.unpack();
        let prefer = prefer.past_hold(&inner.accepted.route, &inner.accepted.head);
        let repeatable = inner.accepted.repeats();
        let adopted = self.runner().adopt(inner.adopted());
        let job = adopted
            .await
            .map_err(|error| ticketless(&error, repeatable))?;
        Ok(ticket(self.runner(), &job, &self.links(), prefer))
    }

    /// The first attempt failed in a way that the route retries: it goes on as a job, for whose
    /// end the client waits as long as its hold lasts.
    async fn again(
        &self,
        mut inner: Inner,
        landed: Result<Landed, Failure>,
        prefer: Prefer,
        until: Instant,
    ) -> Result<Response<Payload>, Problem> {
        inner.unpack();
        let prefer = prefer.past_hold(&inner.accepted.route, &inner.accepted.head);
        let (id, route) = (inner.accepted.id, Arc::clone(&inner.accepted.route));
        let mut watch = self.runner().watch(id);
        // Before the wait for the store, so that a client that goes within it is dropped first
        // from there, and then from here: one of the two finds the job.
        let forsaken = Forsaken::new(self.runner(), &route, id);
        let adopted = inner.again(landed);
        let job = match route.on_disconnect {
            OnDisconnect::Cancel => self.runner().adopt_attended(adopted).await,
            OnDisconnect::Continue => self.runner().adopt(adopted).await,
        };
        let job = match job {
            Ok(job) => job,
            Err(error) => {
                forsaken.answered();
                return Err(error.problem());
            }
        };
        let answer = self.await_job(job, &mut watch, prefer, until).await;
        forsaken.answered();
        answer
    }
}

/// The exchange ended in time, and its end is the answer.
fn land(
    permit: Permit,
    landed: Result<Landed, Failure>,
    repeatable: bool,
) -> Result<Response<Payload>, Problem> {
    match landed {
        Ok(Landed::Opened(mut opened)) => {
            opened.body.attach(permit);
            Ok(replay::relay(opened))
        }
        Ok(Landed::Recorded(recorded)) => Ok(replay::recorded(recorded)),
        Err(failure) => Err(failed(&failure, repeatable)),
    }
}

/// A permit of the route, if there is one before the end of the hold or of the process.
async fn permit_until(runner: &Runner, accepted: &Accepted, until: Instant) -> Option<Permit> {
    tokio::select! {
        biased;
        permit = runner.permit(&accepted.route) => Some(permit),
        () = tokio::time::sleep_until(until) => None,
        () = runner.last_call() => None,
    }
}

/// The exchange, not yet polled, and the fields of the head that went out with it.
fn take_off(
    runner: &Runner,
    accepted: &mut Accepted,
    started_at: Timestamp,
) -> (Flight, Option<Packed>) {
    let route = Arc::clone(&accepted.route);
    let timeouts = Timeouts::new(&route, route.deadline);
    let outbound = Outbound {
        job: accepted.id,
        attempt: 1,
        deadline: timeouts.total.map(|total| started_at.after(total)),
        progress: runner.progress_url(accepted.id, 1),
    };
    // The original goes out: it has room for the fields that mark an attempt.
    let packed = Packed::new(&accepted.head.headers);
    let fields = match packed {
        Some(_) => std::mem::take(&mut accepted.head.headers),
        None => accepted.head.headers.clone(),
    };
    let head = RequestHead {
        method: accepted.head.method.clone(),
        target: accepted.head.target.clone(),
        headers: fields,
    };
    let head = route.dressed(head);
    let request = outbound.whole(head, &accepted.body, &accepted.trailers);
    let bounds = Bounds {
        timeouts,
        max_response: route.max_response,
        attended: ATTENDED.min(route.hold),
    };
    let upstreams = runner.upstreams().clone();
    let hold_until = route.hold_until;
    let opening = async move {
        let opened = open(&upstreams, &route.upstream, request, bounds).await?;
        Ok(opened.shown_by(&route))
    };
    let flight = match hold_until {
        HoldUntil::Head => Flight::to_head(opening),
        HoldUntil::Complete => Flight::to_end(opening, Recorder::new(&**runner.store())),
    };
    (flight, packed)
}

impl Held<'_> {
    /// Waits for the flight or the end of the hold; of both at once, the flight counts.
    async fn wait(&mut self, until: Instant) -> Came {
        let Some(inner) = &mut self.inner else {
            return Came::HoldOver;
        };
        // Most answers are quick. Only a wait that lasts is worth a place among those who must be
        // told of a stop, whose list has one lock for all.
        let quick = until.min(Instant::now() + ATTENDED);
        tokio::select! {
            biased;
            landed = &mut inner.flight => return Came::Landed(landed),
            () = tokio::time::sleep_until(quick) => {}
        }
        // What waits for long must not keep the buffer it was read into.
        inner.accepted.stand_alone();
        tokio::select! {
            biased;
            landed = &mut inner.flight => return Came::Landed(landed),
            () = tokio::time::sleep_until(until) => {}
            () = self.runner.last_call() => {}
        }
        if !self.runner.is_bequeathed() {
            return Came::HoldOver;
        }
        // The store belongs to another process, so there is no ticket to be had: the client gets
        // the answer itself, as late as it comes.
        Came::Landed((&mut inner.flight).await)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take()
            && inner.accepted.route.on_disconnect == OnDisconnect::Continue
        {
            self.runner.adopt_orphan(inner.adopted());
        }
    }
}

/// A job that began before its client had an answer. Dropped before that, because the client is
/// gone, the job is cancelled where the route says so.
pub(crate) struct Forsaken<'a> {
    runner: &'a Runner,
    job: Option<JobId>,
}

impl<'a> Forsaken<'a> {
    pub(crate) fn new(runner: &'a Runner, route: &Route, job: JobId) -> Self {
        let cancels = route.on_disconnect == OnDisconnect::Cancel;
        Self {
            runner,
            job: cancels.then_some(job),
        }
    }

    /// The client has its answer.
    pub(crate) fn answered(mut self) {
        self.job = None;
    }
}

impl Drop for Forsaken<'_> {
    fn drop(&mut self) {
        if let Some(job) = self.job {
            self.runner.cancel_unheard(job);
        }
    }
}

impl Inner {
    /// The head is whole again.
    pub(crate) fn unpack(&mut self) {
        if let Some(fields) = self.fields.take() {
            self.accepted.head.headers = fields.unpack();
        }
    }

    fn adopted(mut self) -> Adopted {
        self.unpack();
        let Self {
            accepted,
            fields: _,
            started_at,
            flight,
            permit,
        } = self;
        Adopted {
            accepted,
            started_at,
            flight,
            permit,
        }
    }

    /// The same exchange with its end already known, as the first attempt of a job.
    pub(crate) fn again(self, landed: Result<Landed, Failure>) -> Adopted {
        let flight = match landed {
            Ok(Landed::Opened(opened)) => Flight::to_head(std::future::ready(Ok(opened))),
            Ok(Landed::Recorded(recorded)) => Flight::landed(Ok(recorded)),
            Err(failure) => Flight::landed(Err(failure)),
        };
        Self { flight, ..self }.adopted()
    }

    /// Whether its answer is recorded from its first byte.
    fn is_recorded(&self, runner: &Runner, landed: &Result<Landed, Failure>) -> bool {
        self.accepted.route.resume && !runner.is_bequeathed() && resume::streams(landed)
    }

    /// Whether a job with this outcome of its first attempt would be tried again.
    fn is_retried(&self, runner: &Runner, landed: &Result<Landed, Failure>) -> bool {
        if self.accepted.route.retry.attempts <= 1 || runner.is_bequeathed() {
            return false;
        }
        let head = &self.accepted.head;
        let idempotent = head.method.is_idempotent();
        let submission = Submission::to_route(self.accepted.id, &self.accepted.route, idempotent);
        let Some(job) = submit_started(submission, self.started_at).next else {
            return false;
        };
        let answered = |status| Outcome::Answered {
            response: ResponseSummary {
                status,
                content_type: None,
                content_length: 0,
            },
            retry_after: None,
        };
        let outcome = match landed {
            Ok(Landed::Opened(Opened { head, .. })) => answered(head.status),
            Ok(Landed::Recorded(recorded)) => answered(recorded.head.status),
            Err(failure) => Outcome::Failed(failure.clone()),
        };
        matches!(
            next(&job, &outcome, 0, runner.ambient().now()),
            Next::Again { .. }
        )
    }
}

/// There is no ticket at the end of a hold: the exchange was closed, but the backend had it.
fn ticketless(error: &raincheck_runner::Error, repeatable: bool) -> Problem {
    let problem = error.problem();
    let detail = format!(
        "the hold ended and no ticket could be stored ({error}); the exchange was closed, and the \
         backend may have seen the request"
    );
    Problem { detail, ..problem }.after(true, repeatable)
}

fn gone() -> Problem {
    let detail = "the exchange was handed over twice";
    Problem::new(raincheck_core::problem::ProblemCode::Internal, detail)
}

#[cfg(test)]
mod tests;
