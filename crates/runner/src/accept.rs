//! A request becomes a job: queued, or with its first attempt already on its way.

use std::sync::Arc;

use http::HeaderMap;
use raincheck_core::callback::Callback;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::job::{Job, Submission, Transition, submit, submit_started};
use raincheck_core::route::Route;
use raincheck_core::time::Timestamp;
use raincheck_exchange::{Flight, RequestBody, compact};
use raincheck_store::{NewKey, StoredRequest};
use tokio::sync::oneshot;

use crate::attempt::Attempt;
use crate::begin::Begun;
use crate::permits::Arriving;
use crate::running::Entry;
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
    /// The key under which it can be found again, where it has one.
    pub key: Option<Box<NewKey>>,
    /// Where its end is to be told.
    pub callback: Option<Box<Callback>>,
}

impl Accepted {
    /// Whether its backend may see it twice.
    pub fn repeats(&self) -> bool {
        self.route.repeats(&self.head.method)
    }

    /// Lets go of the buffer that it was read into, which is many times larger as a rule. Not worth
    /// its time for what is answered at once.
    pub fn stand_alone(&mut self) {
        self.head = compact::request(&self.head);
        compact::request_body(&mut self.body);
        if !self.trailers.is_empty() {
            self.trailers = compact::headers(&self.trailers);
        }
    }

    fn submission(&self) -> Submission {
        let idempotent = self.head.method.is_idempotent();
        Submission {
            callback: self.callback.clone(),
            ..Submission::to_route(self.id, &self.route, idempotent)
        }
    }

    async fn stored(&self, shared: &Shared) -> Result<Arc<StoredRequest>, Error> {
        let body = self.body.persist(&*shared.store).await?;
        Ok(Arc::new(StoredRequest {
            head: compact::request(&self.head),
            body: compact::body(body),
            trailers: compact::headers(&self.trailers),
        }))
    }
}

impl Runner {
    /// Makes a job of a request and runs it as soon as it is its turn. Returns when it is durable.
    /// Once begun it is carried out whole, also when the caller is gone.
    ///
    /// # Errors
    /// `QueueFull`, `Draining`, or what the store says: nothing was accepted. `Taken`, where its key
    /// leads to another job.
    pub async fn submit(&self, accepted: impl Into<Arc<Accepted>>) -> Result<Job, Error> {
        let accepted = accepted.into();
        let (shared, place) = self.place(&accepted)?;
        let (told, tells) = oneshot::channel();
        self.shared.tasks.spawn(async move {
            shared.submit(accepted, place, told).await;
        });
        tells.await.unwrap_or_else(|_| Err(Error::died()))
    }

    /// The same for a caller without whom the job has no purpose: one who is gone before it is
    /// durable leaves it cancelled. Whoever goes later must cancel it.
    ///
    /// # Errors
    /// As [`Runner::submit`].
    pub async fn submit_attended(&self, accepted: impl Into<Arc<Accepted>>) -> Result<Job, Error> {
        let accepted = accepted.into();
        let (shared, place) = self.place(&accepted)?;
        let (told, tells) = oneshot::channel();
        self.shared.tasks.spawn(async move {
            let id = accepted.id;
            let (heard, hears) = oneshot::channel();
            let submitting = shared.submit(accepted, place, heard);
            tokio::join!(submitting, shared.pass_on(id, hears, told));
        });
        tells.await.unwrap_or_else(|_| Err(Error::died()))
    }

    fn place(&self, accepted: &Accepted) -> Result<(Arc<Shared>, Place), Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        let place = self.shared.place(&accepted.route)?;
        Ok((Arc::clone(&self.shared), place))
    }

    /// Makes a job of an exchange that is already on its way, and goes on with it whatever becomes
    /// of the caller. Returns when the job is durable.
    ///
    /// # Errors
    /// What the store says: there is no job, and the exchange is closed.
    pub async fn adopt(&self, adopted: Adopted) -> Result<Job, Error> {
        let (told, tells) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            shared.adopt(adopted, told).await;
        });
        tells.await.unwrap_or_else(|_| Err(Error::died()))
    }

    /// The same for a caller without whom the job has no purpose: one who is gone before it is
    /// durable leaves it cancelled. Whoever goes later must cancel it.
    ///
    /// # Errors
    /// As [`Runner::adopt`].
    pub async fn adopt_attended(&self, adopted: Adopted) -> Result<Job, Error> {
        let (told, tells) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            shared.adopt_attended(adopted, told).await;
        });
        tells.await.unwrap_or_else(|_| Err(Error::died()))
    }

    /// The same for a client that is gone: nobody waits for the outcome.
    pub fn adopt_orphan(&self, adopted: Adopted) {
        let (told, tells) = oneshot::channel();
        let id = adopted.accepted.id;
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn(async move {
            shared.adopt(adopted, told).await;
        });
        self.shared.tasks.spawn(async move {
            if let Ok(Err(error)) = tells.await {
                tracing::warn!(job = %id, %error, "client gone; its exchange was closed");
            }
        });
    }
}

/// Who waits for a job to be durable.
type Told = oneshot::Sender<Result<Job, Error>>;

/// Where a new job goes.
enum Place {
    /// Nobody waits before it, and it may run.
    AtOnce(Permit),
    /// Behind others.
    Queue(Arriving),
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
    fn place(&self, route: &Route) -> Result<Place, Error> {
        if !self.is_resting()
            && self.store.waiting(&route.name) == 0
            && let Some(permit) = self.permits.try_acquire_both(route)
        {
            return Ok(Place::AtOnce(permit));
        }
        let (arriving, before) = self.permits.arrive(route);
        let waiting = self.store.waiting(&route.name).saturating_add(before);
        match waiting >= route.queue {
            true => Err(Error::QueueFull {
                waiting,
                limit: route.queue,
            }),
            false => Ok(Place::Queue(arriving)),
        }
    }

    async fn submit(self: &Arc<Self>, accepted: Arc<Accepted>, place: Place, told: Told) {
        match place {
            Place::AtOnce(permit) => self.run_at_once(accepted, permit, told).await,
            Place::Queue(arriving) => {
                let queued = self.enqueue(accepted).await;
                drop(arriving);
                // Nobody listens where the client has gone; the job stands all the same.
                _ = told.send(queued);
            }
        }
    }

    async fn enqueue(&self, accepted: Arc<Accepted>) -> Result<Job, Error> {
        let request = accepted.stored(self).await?;
        let transition = submit(accepted.submission(), self.now());
        self.create(transition, request, accepted.key.as_deref())
            .await
    }

    /// Stores the job with its attempt already begun: one write instead of two. To a crash this is
    /// no different from a start that follows at once.
    async fn run_at_once(self: &Arc<Self>, accepted: Arc<Accepted>, permit: Permit, told: Told) {
        let id = accepted.id;
        let route = Arc::clone(&accepted.route);
        let starting = self.starting(&accepted, self.now());
        match self.create_started(&accepted, starting).await {
            Ok((begun, request)) => {
                _ = told.send(Ok(begun.job.clone()));
                drop(accepted);
                let attempt = Attempt {
                    route: Arc::clone(&route),
                    permit,
                };
                if self.run(attempt, begun, Some(request)).await {
                    self.store.release(id);
                }
                self.dispatch.ring(&route.name);
            }
            Err(error) => {
                self.store.release(id);
                _ = told.send(Err(error));
            }
        }
    }

    async fn adopt_attended(self: &Arc<Self>, adopted: Adopted, told: Told) {
        let id = adopted.accepted.id;
        let (heard, hears) = oneshot::channel();
        let adopting = self.adopt(adopted, heard);
        tokio::join!(adopting, self.pass_on(id, hears, told));
    }

    /// Tells what came of a job. If nobody listens any more, it is cancelled.
    async fn pass_on(&self, id: JobId, hears: oneshot::Receiver<Result<Job, Error>>, told: Told) {
        if let Ok(outcome) = hears.await
            && let Err(Ok(_)) = told.send(outcome)
        {
            self.cancel_unheard(id).await;
        }
    }

    /// The exchange is driven on while its job is being stored: the upstream must not wait for
    /// our disk. Its end is told only after the job is durable.
    async fn adopt(self: &Arc<Self>, adopted: Adopted, told: Told) {
        let Adopted {
            accepted,
            started_at,
            flight,
            permit,
        } = adopted;
        let (id, route) = (accepted.id, Arc::clone(&accepted.route));
        let starting = self.starting(&accepted, started_at);
        let shared = Arc::clone(self);
        let job = starting.transition.next.clone();
        let driven = tokio::spawn(async move {
            let begun = |head: &_, recording: &_| {
                _ = job.map(|job| shared.show(&job, head, recording));
            };
            flight.finish(&*shared.store, begun).await
        });
        let abort = AbortOnDrop(driven.abort_handle());
        match self.create_started(&accepted, starting).await {
            Ok((begun, _)) => {
                _ = told.send(Ok(begun.job.clone()));
                drop(accepted);
                let attempt = Attempt {
                    route: Arc::clone(&route),
                    permit,
                };
                if self.run_driven(attempt, begun, driven, abort).await {
                    self.store.release(id);
                }
                self.dispatch.ring(&route.name);
            }
            Err(error) => {
                drop((abort, permit));
                self.store.release(id);
                _ = told.send(Err(error));
            }
        }
    }

    /// A job whose first attempt began at `started_at`. It is leased, and on the books as running,
    /// before anybody can see it.
    fn starting(&self, accepted: &Accepted, started_at: Timestamp) -> Starting {
        let now = self.now();
        self.store.lease_one(accepted.id, now, now.after(LEASE));
        let transition = submit_started(accepted.submission(), started_at);
        let token = transition.next.as_ref().map(Job::token).unwrap_or_default();
        let entry = self.running.enter(accepted.id, token);
        Starting { transition, entry }
    }

    /// Makes it durable.
    async fn create_started(
        &self,
        accepted: &Accepted,
        Starting { transition, entry }: Starting,
    ) -> Result<(Begun, Arc<StoredRequest>), Error> {
        let request = accepted.stored(self).await?;
        let key = accepted.key.as_deref();
        let job = self.create(transition, Arc::clone(&request), key).await?;
        Ok((Begun { job, entry }, request))
    }
}

/// A job that has begun and is not yet durable.
struct Starting {
    transition: Transition,
    entry: Entry,
}

/// Aborts a task unless it ended; what the task owned is dropped, its connection closed.
pub(crate) struct AbortOnDrop(pub(crate) tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
