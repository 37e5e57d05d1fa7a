//! A finished job's answer: its stored response, or the problem that stands for it.

use std::sync::Arc;

use http::Response;
use raincheck_core::job::{Job, Status};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::{Payload, Recording, Source, replay as replays};
use raincheck_store::{Store, StoredResponse};

use crate::Error;

/// The stored response of a finished job.
///
/// # Errors
/// What the store says; a damaged record is `Corrupt`.
pub async fn stored(
    store: &Arc<dyn Store>,
    job: &Job,
) -> Result<Option<Arc<StoredResponse>>, Error> {
    if job.response().is_none() {
        return Ok(None);
    }
    match store.response(job.id()).await? {
        Some(response) => Ok(Some(response)),
        None => Err(Error::Store(raincheck_store::Error::Corrupt(
            "the response of a finished job is missing".to_owned(),
        ))),
    }
}

/// The response as it was, or none where the job ended without one.
///
/// # Errors
/// As [`stored`].
pub async fn replay(store: &Arc<dyn Store>, job: &Job) -> Result<Option<Response<Payload>>, Error> {
    let Some(response) = stored(store, job).await? else {
        return Ok(None);
    };
    let reader = store.open(&response.body).await?;
    let len = response.body.len();
    let body = replays::body(reader.into(), 0, len, response.trailers.clone());
    Ok(Some(replays::with_head(response.head.clone(), body)))
}

/// A stored response as what it was while it was recorded.
///
/// # Errors
/// What the store says; a damaged body is `Corrupt`.
pub async fn source(
    store: &Arc<dyn Store>,
    job: &Job,
    response: &StoredResponse,
) -> Result<Source, Error> {
    let reader = store.open(&response.body).await?;
    let (head, trailers) = (response.head.clone(), response.trailers.clone());
    let len = response.body.len();
    Ok(Source {
        job: job.id(),
        run: job.token(),
        recording: Recording::whole(head, trailers, reader.into(), len),
    })
}

/// What is told of a finished job without a response. A repetition of its request may do better
/// only if that is run: see [`raincheck_core::policy::dedup`].
pub fn problem(job: &Job) -> Problem {
    let code = match (job.status(), job.error()) {
        (Status::Cancelled, _) => ProblemCode::JobCancelled,
        (Status::Expired, _) => ProblemCode::JobExpired,
        (_, Some(error)) => error.code,
        (_, None) => ProblemCode::Internal,
    };
    let detail = job
        .error()
        .map_or("the job ended without a response", |error| &error.detail);
    let problem = Problem::new(code, detail).about(job.id());
    problem.after(job.executions() > 0, job.terms().repeatable)
}
