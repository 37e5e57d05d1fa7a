//! A finished job's answer: its stored response, or the problem that stands for it.
//!
//! One that turns out to be damaged is an answer no more: its job has failed from then on, and says
//! so. That is found by whoever reads it first.

use std::sync::Arc;

use http::Response;
use raincheck_core::job::{Event, Job, Status};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::{Payload, Recording, Source, replay as replays};
use raincheck_store::{BodyReader, Error as StoreError, StoredResponse};

use crate::damage::Watched;
use crate::{Error, Runner};

/// The stored response of a finished job.
///
/// # Errors
/// What the store says; a damaged record is `Corrupt`, and its job has failed from now on.
pub async fn stored(runner: &Runner, job: &Job) -> Result<Option<Arc<StoredResponse>>, Error> {
    if job.response().is_none() {
        return Ok(None);
    }
    match runner.store().response(job.id()).await {
        Ok(Some(response)) => Ok(Some(response)),
        Ok(None) => {
            let text = "the response of a finished job is missing".to_owned();
            Err(told(runner, job, StoreError::Corrupt(text)).await)
        }
        Err(error) => Err(told(runner, job, error).await),
    }
}

/// A reader of the body of a finished job's response. Its first bytes are known to be whole, so
/// that a body of one frame is never begun in vain.
///
/// # Errors
/// What the store says; a damaged body is `Corrupt`, and its job has failed from now on. So it has
/// when damage is met later on, while the body is read.
pub async fn open(
    runner: &Runner,
    job: &Job,
    stored: &StoredResponse,
) -> Result<Arc<dyn BodyReader>, Error> {
    let opened = async {
        let reader = runner.store().open(&stored.body).await?;
        if reader.read(0, 1).await?.is_empty() && !stored.body.is_empty() {
            let text = "a stored body has no bytes".to_owned();
            return Err(StoreError::Corrupt(text));
        }
        Ok(reader)
    };
    let inner = match opened.await {
        Ok(reader) => Arc::from(reader),
        Err(error) => return Err(told(runner, job, error).await),
    };
    let (runner, job) = (runner.clone(), job.clone());
    Ok(Arc::new(Watched::new(inner, move |detail: &str| {
        let (runner, job, detail) = (runner.clone(), job.clone(), detail.to_owned());
        let tasks = runner.shared.tasks.clone();
        tasks.spawn(async move { damaged(&runner, &job, detail).await });
    })))
}

/// The response as it was, or none where the job ended without one.
///
/// # Errors
/// As [`stored`] and [`open`].
pub async fn replay(runner: &Runner, job: &Job) -> Result<Option<Response<Payload>>, Error> {
    let Some(response) = stored(runner, job).await? else {
        return Ok(None);
    };
    let reader = open(runner, job, &response).await?;
    let body = replays::body(reader, 0, response.body.len(), response.trailers.clone());
    Ok(Some(replays::with_head(response.head.clone(), body)))
}

/// A stored response as what it was while it was recorded.
///
/// # Errors
/// As [`open`].
pub async fn source(
    runner: &Runner,
    job: &Job,
    response: &StoredResponse,
) -> Result<Source, Error> {
    let reader = open(runner, job, response).await?;
    let (head, trailers) = (response.head.clone(), response.trailers.clone());
    let len = response.body.len();
    Ok(Source {
        job: job.id(),
        run: job.token(),
        recording: Recording::whole(head, trailers, reader, len),
    })
}

/// The error, after the job was told where it is damage.
async fn told(runner: &Runner, job: &Job, error: StoreError) -> Error {
    if let StoreError::Corrupt(detail) = &error {
        damaged(runner, job, detail.clone()).await;
    }
    error.into()
}

/// The answer of this job is lost. What is missing because the job was forgotten or is run again
/// meanwhile is no damage: the job says so.
async fn damaged(runner: &Runner, job: &Job, detail: String) {
    let event = Event::AnswerDamaged {
        token: job.token(),
        detail: detail.clone(),
    };
    match runner.order(job.id(), event).await {
        Ok(_) => tracing::error!(job = %job.id(), detail, "a stored answer is damaged"),
        Err(Error::NotFound | Error::Refused(_)) => {}
        Err(error) => {
            tracing::error!(job = %job.id(), detail, %error, "a damaged answer is not noted yet");
        }
    }
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
