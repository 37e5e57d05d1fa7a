//! `GET {jobs}/{id}/result`: the recorded response, exactly; held, in parts, or not there yet.

use std::sync::Arc;

use http::header;
use http::{HeaderMap, Request, Response, StatusCode};
use raincheck_core::id::{JobId, Revision};
use raincheck_core::job::Job;
use raincheck_core::navigation::navigates;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer, replay, source};
use raincheck_runner::{Runner, result, status};
use raincheck_store::{BodyReader, StoredResponse};

use super::range::{self, Wanted};
use super::{chain, follow, status as statuses, wait};
use crate::{page, query, respond};

/// Answers with the result, or with how far it is.
pub(crate) async fn result<B>(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    loop {
        let (seen, answer) = result_now(runner, links, id, request).await?;
        // What is missing may be missing because the job was forgotten, or is run again, since it
        // was looked at: that is no damage.
        let damaged = |problem: &Problem| problem.code == ProblemCode::StorageDamaged;
        if answer.as_ref().err().is_some_and(damaged) {
            let job = runner.job(id).await.map_err(|error| error.problem())?;
            if job.revision() != seen {
                continue;
            }
        }
        return answer;
    }
}

/// The answer as the job stands, and the revision that was looked at.
async fn result_now<B>(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    request: &Request<B>,
) -> Result<(Revision, Result<Response<Payload>, Problem>), Problem> {
    let hop = chain::hop(request)?;
    if query::has(request.uri().query(), "follow") {
        return follow::follow(runner, links, id, request).await;
    }
    let wait = match hop {
        Some(_) => chain::wait(runner, id, request).await?,
        None => wait::wanted(request)?,
    };
    let job = wait::until(runner, id, wait, |job| job.status().is_finished()).await?;
    let answer = match job.status().is_finished() {
        true => finished(runner, links, &job, request).await,
        false => Ok(unfinished(runner, links, &job, (request, hop)).await),
    };
    Ok((job.revision(), answer))
}

/// The answer where there is none yet.
pub(super) async fn unfinished<B>(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    (request, hop): (&Request<B>, Option<u32>),
) -> Response<Payload> {
    if navigates(request.headers()) {
        return page::page(runner, links, job, StatusCode::ACCEPTED);
    }
    if let Some(next) = hop.and_then(|hop| chain::next(runner, links, job, hop)) {
        let mut response = statuses::document(runner, links, job, StatusCode::SEE_OTHER).await;
        respond::set(&mut response, header::LOCATION, &next);
        // It would mean to wait before following the redirect.
        response.headers_mut().remove(header::RETRY_AFTER);
        return response;
    }
    let mut response = statuses::document(runner, links, job, StatusCode::ACCEPTED).await;
    respond::set(&mut response, header::LOCATION, &links.job(job));
    response
}

async fn finished<B>(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    match stored(runner, job).await? {
        Some(stored) => replayed(runner, links, (job, &stored), &range::fields(request)).await,
        None => unanswered(runner, links, job, request.headers()),
    }
}

/// The stored response of a finished job.
pub(super) async fn stored(
    runner: &Runner,
    job: &Job,
) -> Result<Option<Arc<StoredResponse>>, Problem> {
    let stored = result::stored(runner, job).await;
    stored.map_err(|error| error.problem().about(job.id()))
}

/// A job ended without a response.
pub(super) fn unanswered(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    asked: &HeaderMap,
) -> Result<Response<Payload>, Problem> {
    if !navigates(asked) {
        return Err(result::problem(job));
    }
    let code = StatusCode::from_u16(result::problem(job).code.status());
    let code = code.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Ok(page::page(runner, links, job, code))
}

/// A stored response, or the part of it that is asked for.
pub(super) async fn replayed(
    runner: &Runner,
    links: &status::Links,
    (job, stored): (&Job, &StoredResponse),
    asked: &HeaderMap,
) -> Result<Response<Payload>, Problem> {
    let opened = result::open(runner, job, stored).await;
    let reader = opened.map_err(|error| error.problem().about(job.id()))?;
    let tag = source::validator(job.id(), job.token(), &stored.head);
    let whole = |reader| {
        let body = replay::body(reader, 0, stored.body.len(), stored.trailers.clone());
        replay::with_head(stored.head.clone(), body)
    };
    if stored.head.status != 200 {
        return Ok(about(whole(reader), job));
    }
    respond::check_match(asked, &tag).map_err(|problem| problem.about(job.id()))?;
    if respond::none_match(asked, &tag) {
        let mut response = crate::empty(StatusCode::NOT_MODIFIED);
        respond::set(&mut response, header::ETAG, &tag);
        return Ok(about(response, job));
    }
    let mut response = match range::wanted(asked, stored.body.len(), &tag) {
        Wanted::Whole => whole(reader),
        Wanted::Part { first, last } => part(stored, reader, first, last),
        Wanted::Unsatisfiable => return Ok(unsatisfiable(job, links, stored.body.len())),
    };
    respond::set(&mut response, header::ETAG, &tag);
    respond::set(&mut response, header::ACCEPT_RANGES, "bytes");
    Ok(about(response, job))
}

fn part(
    stored: &StoredResponse,
    reader: Arc<dyn BodyReader>,
    first: u64,
    last: u64,
) -> Response<Payload> {
    let len = last - first + 1;
    let body = replay::body(reader, first, len, HeaderMap::new());
    let mut response = replay::with_head(stored.head.clone(), body);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.extensions_mut().clear();
    let whole = stored.body.len();
    respond::set(
        &mut response,
        header::CONTENT_RANGE,
        &format!("bytes {first}-{last}/{whole}"),
    );
    respond::set(&mut response, header::CONTENT_LENGTH, &len.to_string());
    response
}

pub(super) fn about(mut response: Response<Payload>, job: &Job) -> Response<Payload> {
    respond::set(&mut response, JOB_ID, &job.id().to_string());
    response
}

pub(super) fn unsatisfiable(job: &Job, links: &status::Links, len: u64) -> Response<Payload> {
    let detail = format!("the result has {len} bytes");
    let problem = Problem::new(ProblemCode::RangeNotSatisfiable, detail);
    let mut response = answer::problem(&problem, Some(&links.job(job)));
    respond::set(
        &mut response,
        header::CONTENT_RANGE,
        &format!("bytes */{len}"),
    );
    about(response, job)
}
