//! A request becomes a job: queued, or with its first attempt already on its way.

use std::sync::Arc;

use http::HeaderMap;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::job::{Job, Submission, submit, submit_started};
use raincheck_core::outcome::Seen;
use raincheck_core::route::Route;
use raincheck_core::time::Timestamp;
use raincheck_exchange::{Flight, RequestBody};
use raincheck_store::StoredRequest;

use crate::attempt::{Attempt, Begun};
use crate::{Error, LEASE, Permit, Runner, Shared};

/// A request that is whole.
#[derive(Clone)]
pub struct Accepted {
    /// The id it was given when it came.
    pub id: JobId,
    /// The route it matched.
    pub route: Arc<Route>,
    /// Its head, ready to be sent.
    pub head: RequestHead,
    /// Its body.
    pub body: RequestBody,
    /// Its trailers.
    pub trailers: HeaderMap,
}

impl Accepted {
    fn submission(&self) -> Submission {
        Submission::to_route(self.id, &self.route, self.head.method.is_idempotent())
    }

    async fn stored(&self, shared: &Shared) -> Result<Arc<StoredRequest>, Error> {
        let body = self.body.persist(&*shared.store).await?;
        let (head, trailers) = (self.head.clone(), self.trailers.clone());
        Ok(Arc::new(StoredRequest { head, body, trailers }))
    }
}

impl Runner {
    /// Makes a job of a request and runs it as soon as it is its turn. Returns when it is durable.
    ///
    /// # Errors
    /// `QueueFull`, `Draining`, or what the store says: nothing was accepted.
    pub async fn submit(&self, accepted: Accepted) -> Result<Job, Error> {
        let shared = &self.shared;
        if self.is_draining() {
            return Err(Error::Draining);
        }
        let route = &accepted.route;
        let waiting = shared.store.waiting(&route.name);
        if waiting >= route.queue {
            return Err(Error::QueueFull { waiting, limit: route.queue });
        }
        let request = accepted.stored(shared).await?;
        let permit = if waiting == 0 { shared.permits.try_acquire_both(route) } else { None };
        match permit {
            Some(permit) => shared.run_at_once(accepted, request, permit).await,
            None => {
                let transition = submit(accepted.submission(), shared.now());
                shared.create(transition, request).await
            }
        }
    }

    /// Makes a job of an exchange that is already on its way, and goes on with it whatever becomes
    /// of the caller. Returns when the job is durable.
    ///
    /// # Errors
    /// `Draining`, or what the store says: there is no job, and the exchange is closed.
    pub async fn adopt(&self, adopted: Adopted) -> Result<Job, Error> {
        let shared = Arc::clone(&self.shared);
        let task = self.shared.tasks.spawn(async move { shared.adopt(adopted).await });
        match task.await {
            Ok(job) => job,
            Err(_) => Err(Error::Store(raincheck_store::Error::Unavailable(
                "the task that stored the job failed".to_owned(),
            ))),
        }
    }

    /// The same for a client that is gone: nobody waits for the outcome.
    pub fn adopt_orphan(&self, adopted: Adopted) {
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            let id = adopted.accepted.id;
            if let Err(error) = shared.adopt(adopted).await {
                tracing::warn!(job = %id, %error, "client gone; its exchange was closed");
            }
        });
    }
}

/// An exchange on its way, with all that makes it a job.
pub struct Adopted {
    /// The request.
    pub accepted: Accepted,
    /// When the exchange began.
    pub started_at: Timestamp,
    /// The exchange.
    pub flight: Flight,
    /// Its permit.
    pub permit: Permit,
}

impl Shared {
    /// Stores the job with its attempt already begun: one write instead of two. To a crash this is
    /// no different from a start that follows at once.
    async fn run_at_once(
        self: &Arc<Self>,
        accepted: Accepted,
        request: Arc<StoredRequest>,
        permit: Permit,
    ) -> Result<Job, Error> {
        let now = self.now();
        self.store.lease_one(accepted.id, now, now.after(LEASE));
        let transition = submit_started(accepted.submission(), now);
        let job = match self.create(transition, Arc::clone(&request)).await {
            Ok(job) => job,
            Err(error) => {
                self.store.release(accepted.id);
                return Err(error);
            }
        };
        let attempt = Attempt { route: accepted.route, permit };
        self.spawn_attempt(attempt, Begun { job: job.clone(), request });
        Ok(job)
    }

    /// The exchange is driven on while its job is being stored: the upstream must not wait for
    /// our disk. Its end is told only after the job is durable.
    async fn adopt(self: &Arc<Self>, adopted: Adopted) -> Result<Job, Error> {
        let Adopted { accepted, started_at, flight, permit } = adopted;
        let (id, route) = (accepted.id, Arc::clone(&accepted.route));
        let now = self.now();
        self.store.lease_one(id, now, now.after(LEASE));
        let shared = Arc::clone(self);
        let driven = tokio::spawn(async move { flight.finish(&*shared.store).await });
        let abort = AbortOnDrop(driven.abort_handle());
        let created = async {
            let request = accepted.stored(self).await?;
            let transition = submit_started(accepted.submission(), started_at);
            self.create(transition, request).await
        };
        match created.await {
            Ok(job) => {
                let attempt = Attempt { route, permit };
                self.spawn_driven(attempt, job.clone(), driven, abort);
                Ok(job)
            }
            Err(error) => {
                self.store.release(id);
                Err(error)
            }
        }
    }
}

/// Aborts a task unless it ended; what the task owned is dropped, its connection closed.
pub(crate) struct AbortOnDrop(pub(crate) tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The most honest guess for an exchange that was closed from outside.
pub(crate) const CLOSED_SEEN: Seen = Seen::Maybe;
