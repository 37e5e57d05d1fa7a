//! Repetitions: carries out what [`raincheck_core::policy::dedup`] decided.
//!
//! A request that can be found again, by its key or by its fingerprint, is a job before the backend
//! sees a byte of it. So whoever sends it, first or again, waits for one and the same job: for its
//! answer while that is recorded, for its end, or for a ticket.

mod attend;
mod leave;

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::key::{
    BodyDigest, Claim, Claimant, ClaimedBy, IDEMPOTENCY_KEY, idempotency_key,
};
use raincheck_core::limits::KEY_TRIES;
use raincheck_core::policy::dedup::{Decision, Found, decide};
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::{KeyUse, OnDisconnect, Route};
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, RequestBody};
use raincheck_runner::accept::Accepted;
use raincheck_runner::{Error, Watch};
use raincheck_store::{Error as StoreError, KeyEntry, NewKey};
use raincheck_telemetry::Duplicate;
use tokio::time::Instant;

use crate::resume::Reader;
use crate::service::Service;
use crate::ticket::ticket;
pub(crate) use leave::Beginners;

/// `Idempotency-Replayed: true`, on every answer to a request that caused no run of its own.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How a request can be found again, before its body is known.
pub(crate) enum Findable {
    /// By its client's key.
    Key(Box<[u8]>),
    /// By its fingerprint.
    Fingerprint,
}

/// Whether and how a request to `route` can be found again.
///
/// # Errors
/// Its key is missing where the route requires one, or is none.
pub(crate) fn findable(route: &Route, headers: &HeaderMap) -> Result<Option<Findable>, Problem> {
    let duplicates = &route.duplicates;
    if duplicates.key != KeyUse::Ignored && headers.contains_key(IDEMPOTENCY_KEY) {
        let bad = |error: raincheck_core::key::BadKey| {
            Problem::new(ProblemCode::IdempotencyKeyInvalid, error.to_string())
        };
        let key = idempotency_key(headers).map_err(bad)?;
        return Ok(key.map(|key: Cow<'_, [u8]>| Findable::Key(key.into())));
    }
    if duplicates.key == KeyUse::Required {
        let detail = format!(
            "route '{}' takes no request without an Idempotency-Key",
            route.name
        );
        return Err(Problem::new(ProblemCode::IdempotencyKeyRequired, detail));
    }
    Ok(duplicates.dedupe.map(|_| Findable::Fingerprint))
}

impl Findable {
    /// What the whole request claims.
    pub(crate) fn claim(&self, accepted: &Accepted, body: BodyDigest) -> Claim {
        let duplicates = &accepted.route.duplicates;
        let claimant = Claimant {
            route: &accepted.route.name,
            head: &accepted.head,
            caller: &duplicates.caller,
            fields: &duplicates.fields,
        };
        let key = match self {
            Self::Key(key) => Some(&**key),
            Self::Fingerprint => None,
        };
        claimant.claim(key, body)
    }
}

/// How a client waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) prefer: Prefer,
    /// When its hold ends.
    pub(crate) until: Instant,
    /// Whether its job is run from the queue.
    pub(crate) queued: bool,
}

impl Wait {
    /// Whether a ticket is wanted at once.
    fn is_over(&self) -> bool {
        self.queued && self.until <= Instant::now()
    }
}

impl Service {
    /// Serves a request that can be found again: begins its job, or finds it.
    pub(crate) async fn findable(
        &self,
        accepted: Accepted,
        claim: Claim,
        wait: Wait,
    ) -> Result<Response<Payload>, Problem> {
        let wait = Wait {
            prefer: wait.prefer.past_hold(&accepted.route, &accepted.head),
            ..wait
        };
        let mut accepted = Arc::new(accepted);
        let mut replaces = None;
        for _ in 0..KEY_TRIES {
            let known = self.look(&accepted, &claim, replaces).await?;
            let entry = match known {
                Some(entry) => entry,
                None => {
                    Arc::make_mut(&mut accepted).key = Some(Box::new(NewKey {
                        digest: claim.digest,
                        fingerprint: claim.fingerprint,
                        replaces,
                    }));
                    match self.begin(&accepted, &claim, replaces, wait).await? {
                        Begun::Answered(response) => return Ok(response),
                        Begun::Taken(entry) => entry,
                    }
                }
            };
            let job = match self.runner().job(entry.job).await {
                Ok(job) => job,
                // It was forgotten a moment ago, and its key with it.
                Err(Error::NotFound) => continue,
                Err(error) => return Err(error.problem()),
            };
            let found = Found {
                fingerprint: entry.fingerprint,
                job: &job,
            };
            let now = self.runner().ambient().now();
            match decide(&accepted.route.duplicates, &claim, Some(found), now) {
                Decision::Fresh { replaces: over } => replaces = over,
                decision => return self.repeated(&accepted, &claim, job, decision, wait).await,
            }
        }
        let detail = "the job under this key changed too often while it was looked at; try again";
        Err(Problem::new(ProblemCode::StoreUnavailable, detail))
    }

    /// Where the key leads, as far as looking is cheaper than claiming it: a large body would be
    /// made durable in vain. None says nothing.
    async fn look(
        &self,
        accepted: &Accepted,
        claim: &Claim,
        replaces: Option<JobId>,
    ) -> Result<Option<KeyEntry>, Problem> {
        let store = self.runner().store();
        let known = match store.key_in_memory(claim.digest) {
            None if matches!(accepted.body, RequestBody::Sealed(_)) => store
                .key(claim.digest)
                .await
                .map_err(|error| Error::Store(error).problem())?,
            known => known,
        };
        Ok(known.filter(|entry| replaces != Some(entry.job)))
    }

    /// Claims the key for a new job and waits for that, unless somebody else has it.
    async fn begin(
        &self,
        accepted: &Arc<Accepted>,
        claim: &Claim,
        replaces: Option<JobId>,
        wait: Wait,
    ) -> Result<Begun, Problem> {
        let (id, route) = (accepted.id, &accepted.route);
        if !wait.queued {
            self.check_upstream(route)?;
        }
        let mut watch = (!wait.is_over()).then(|| self.runner().watch(id));
        // What is run from the queue needs no client.
        let on_disconnect = match wait.queued {
            true => OnDisconnect::Continue,
            false => route.duplicates.on_disconnect,
        };
        let leaving = self.beginners().enter(self.runner(), on_disconnect, id);
        let submitted = match on_disconnect {
            OnDisconnect::Cancel => self.runner().submit_attended(Arc::clone(accepted)).await,
            OnDisconnect::Continue => self.runner().submit(Arc::clone(accepted)).await,
        };
        let job = match submitted {
            Ok(job) => job,
            Err(error) => {
                leaving.stays();
                return self.refused(error, claim, replaces).await;
            }
        };
        let reader = Reader::of(route, &accepted.head.headers);
        let response = self.attend(job, route, watch.as_mut(), wait, &reader).await;
        leaving.stays();
        response.map(Begun::Answered)
    }

    /// The job was not begun. A repetition needs no room in the queue, and none while we stop.
    async fn refused(
        &self,
        error: Error,
        claim: &Claim,
        replaces: Option<JobId>,
    ) -> Result<Begun, Problem> {
        match error {
            Error::Store(StoreError::Taken(entry)) => Ok(Begun::Taken(entry)),
            Error::QueueFull { .. } | Error::Draining => {
                let known = self.runner().store().key(claim.digest).await;
                match known.ok().flatten() {
                    Some(entry) if replaces != Some(entry.job) => Ok(Begun::Taken(entry)),
                    _ => Err(error.problem()),
                }
            }
            error => Err(error.problem()),
        }
    }

    /// A repetition.
    async fn repeated(
        &self,
        accepted: &Accepted,
        claim: &Claim,
        job: Job,
        decision: Decision,
        wait: Wait,
    ) -> Result<Response<Payload>, Problem> {
        let (id, route) = (job.id(), &accepted.route);
        let told = match decision {
            Decision::Join => Duplicate::Joined,
            Decision::Replay => Duplicate::Replayed,
            Decision::Conflict => Duplicate::Conflict,
            Decision::Mismatch | Decision::Fresh { .. } => Duplicate::Mismatch,
        };
        self.tell(route, &job, claim.by, told);
        match told {
            Duplicate::Conflict => return Err(conflict(self, &job)),
            Duplicate::Mismatch => return Err(mismatch()),
            Duplicate::Joined | Duplicate::Replayed => {}
        }
        self.beginners().joined(id);
        let mut watch = (!wait.is_over()).then(|| self.runner().watch(id));
        let job = self.runner().job(id).await;
        let job = job.map_err(|error| error.problem())?;
        let reader = Reader::of(route, &accepted.head.headers);
        let answer = self.attend(job, route, watch.as_mut(), wait, &reader).await;
        let mut response = answer.or_else(|problem| self.replayed(problem))?;
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        if let Ok(id) = HeaderValue::try_from(id.to_string()) {
            headers.insert(JOB_ID, id);
        }
        Ok(response)
    }

    /// Counts a repetition and says so.
    fn tell(&self, route: &Route, job: &Job, by: ClaimedBy, told: Duplicate) {
        if let Some(metrics) = self.runner().metrics().route(&route.name) {
            metrics.duplicate(told);
        }
        let by = match by {
            ClaimedBy::Key => "key",
            ClaimedBy::Fingerprint => "fingerprint",
        };
        crate::refusals::say_repetition(&route.name, job.id(), by, told.as_str());
    }

    /// The ticket of a job to a client that is content with one, or what it waits for.
    async fn attend(
        &self,
        job: Job,
        route: &Route,
        watch: Option<&mut Watch>,
        wait: Wait,
        reader: &Reader,
    ) -> Result<Response<Payload>, Problem> {
        match watch {
            Some(watch) => self.attend_job(job, route, watch, wait, reader).await,
            None => Ok(ticket(self.runner(), &job, &self.links(), wait.prefer)),
        }
    }

    /// The end of a job that is told again is an answer, also where it is a problem.
    fn replayed(&self, problem: Problem) -> Result<Response<Payload>, Problem> {
        let Some(id) = problem.job else {
            return Err(problem);
        };
        let instance = format!("{}/{id}", self.links().base());
        Ok(raincheck_exchange::answer::problem(
            &problem,
            Some(&instance),
        ))
    }
}

/// What came of a claim.
enum Begun {
    Answered(Response<Payload>),
    Taken(KeyEntry),
}

fn conflict(service: &Service, job: &Job) -> Problem {
    let runner = service.runner();
    let detail = "the same request came before and is still being answered (duplicate)";
    let problem = Problem::new(ProblemCode::DuplicateInProgress, detail).about(job.id());
    let typical = runner.typical(job.route());
    match raincheck_runner::status::retry_after(job, typical, runner.ambient().now()) {
        Some(wait) => problem.retry_after(wait),
        None => problem,
    }
}

/// Nothing is said of the request that the key was used for: whoever asks may not have sent it.
fn mismatch() -> Problem {
    let detail = "a request with this Idempotency-Key came before, and its method, path, query, \
                  body or a field that counts was another one; use a new key";
    Problem::new(ProblemCode::IdempotencyKeyReused, detail)
}
