//! `GET {jobs}/{id}/result?follow`: the response while it is still produced, from its beginning or
//! from where a client was when it lost its connection.

use http::header;
use http::{Method, Request, Response, StatusCode};
use raincheck_core::id::{JobId, Revision};
use raincheck_core::job::Job;
use raincheck_core::limits::WAIT_MAX;
use raincheck_core::navigation::navigates;
use raincheck_core::problem::Problem;
use raincheck_exchange::followed::{self, Part};
use raincheck_exchange::{End, Payload, Source, events, replay};
use raincheck_runner::{Error, Runner, result as results, status};

use super::range::{self, Growing, Wanted};
use super::{result, wait};
use crate::respond;

/// Answers with the response as it comes; as the job stands where its head is not known in time.
pub(super) async fn follow<B>(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    request: &Request<B>,
) -> Result<(Revision, Result<Response<Payload>, Problem>), Problem> {
    let hold = hold(runner, id, request).await?;
    let begun = |job: &Job| job.status().is_finished() || runner.source(id).is_some();
    let mut job = wait::until(runner, id, hold, begun).await?;
    if !job.status().is_finished() {
        if let Some(source) = runner.source(id) {
            return Ok((job.revision(), growing(links, &job, &source, request).await));
        }
        // It may have ended since.
        job = runner.job(id).await.map_err(|error| error.problem())?;
    }
    let answer = match job.status().is_finished() {
        true => finished(runner, links, &job, request).await,
        false => Ok(unbegun(runner, links, &job, request).await),
    };
    Ok((job.revision(), answer))
}

/// How long it waits for the head: as it says, or as a client of the route would.
async fn hold<B>(
    runner: &Runner,
    id: JobId,
    request: &Request<B>,
) -> Result<std::time::Duration, Problem> {
    if let Some(wait) = wait::asked(request)? {
        return Ok(wait);
    }
    let job = runner.job(id).await.map_err(|error| error.problem())?;
    let routes = runner.routes();
    let route = routes.named(job.route());
    Ok(route.map_or(WAIT_MAX, |route| route.hold.min(WAIT_MAX)))
}

/// No head yet. A reader of events gives up for good at anything but a stream of events.
async fn unbegun<B>(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    request: &Request<B>,
) -> Response<Payload> {
    match events::wanted(request.headers()) && !navigates(request.headers()) {
        true => result::about(followed::come_again(), job),
        false => result::unfinished(runner, links, job, (request, None)).await,
    }
}

async fn finished<B>(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    let asked = request.headers();
    let Some(stored) = result::stored(runner, job).await? else {
        return result::unanswered(runner, links, job, asked);
    };
    let source = results::source(runner, job, &stored).await;
    let source = source.map_err(|error| error.problem().about(job.id()))?;
    if let Some(response) = as_events(&source, job, request).await? {
        return Ok(response);
    }
    let mut asked = range::fields(request);
    if is_blind(&source, request) {
        asked.to_mut().remove(header::RANGE);
    }
    result::replayed(runner, links, (job, &stored), &asked).await
}

/// The response that is being recorded. Its head is known.
async fn growing<B>(
    links: &status::Links,
    job: &Job,
    source: &Source,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    if let Some(response) = as_events(source, job, request).await? {
        return Ok(response);
    }
    let whole = || {
        let response = followed::response(&source.recording);
        response.unwrap_or_else(|| crate::empty(StatusCode::ACCEPTED))
    };
    let Some(head) = source.recording.head().filter(|head| head.status == 200) else {
        return Ok(result::about(whole(), job));
    };
    let asked = request.headers();
    let tag = source.validator(head);
    respond::check_match(asked, &tag).map_err(|problem| problem.about(job.id()))?;
    if respond::none_match(asked, &tag) {
        let mut response = crate::empty(StatusCode::NOT_MODIFIED);
        respond::set(&mut response, header::ETAG, &tag);
        return Ok(result::about(response, job));
    }
    let ranged = *request.method() == Method::GET && !is_blind(source, request);
    let state = source.state();
    let total = match state.end {
        Some(End::Complete) => Some(state.len),
        _ => announced(head),
    };
    let mut response = match total.filter(|_| ranged) {
        Some(total) => match range::wanted(asked, total, &tag) {
            Wanted::Whole => whole(),
            Wanted::Part { first, last } => part(source, first, last, Some(total)),
            Wanted::Unsatisfiable => return Ok(result::unsatisfiable(job, links, total)),
        },
        None if ranged => match range::growing(asked, state.len, &tag) {
            Growing::Whole => whole(),
            Growing::From { first, last } => part(source, first, last, None),
            Growing::Unsatisfiable => return Ok(result::unsatisfiable(job, links, state.len)),
        },
        None => whole(),
    };
    respond::set(&mut response, header::ETAG, &tag);
    respond::set(&mut response, header::ACCEPT_RANGES, "bytes");
    Ok(result::about(response, job))
}

/// The response as events that a reader can resume, if that is what it is and what is asked for.
async fn as_events<B>(
    source: &Source,
    job: &Job,
    request: &Request<B>,
) -> Result<Option<Response<Payload>>, Problem> {
    let asked = request.headers();
    if asked.contains_key(header::RANGE) || !events::wanted(asked) {
        return Ok(None);
    }
    let last = asked.get(events::LAST_EVENT_ID);
    let response = followed::events(source, last.map(|id| id.as_bytes())).await;
    let response = response.map_err(|error| Error::from(error).problem().about(job.id()))?;
    Ok(response.map(|response| result::about(response, job)))
}

/// Whether a range does not say of which run it is, where a client may have bytes of another: it
/// gets the whole.
fn is_blind<B>(source: &Source, request: &Request<B>) -> bool {
    source.run.0 > 1 && !request.headers().contains_key(header::IF_RANGE)
}

/// The length that the upstream announced.
fn announced(head: &raincheck_core::head::ResponseHead) -> Option<u64> {
    let len = head.headers.get(header::CONTENT_LENGTH)?;
    len.to_str().ok()?.parse().ok()
}

fn part(source: &Source, first: u64, last: u64, total: Option<u64>) -> Response<Payload> {
    let range = match last {
        range::VERY_LARGE => Part::From(first),
        last => Part::Range(first, last),
    };
    let body = followed::body(std::sync::Arc::clone(&source.recording), range);
    let mut response = match source.recording.head() {
        Some(head) => replay::with_head(head.clone(), body),
        None => Response::new(body),
    };
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    response.extensions_mut().clear();
    let shown = total.map_or_else(|| "*".to_owned(), |total| total.to_string());
    let text = format!("bytes {first}-{last}/{shown}");
    respond::set(&mut response, header::CONTENT_RANGE, &text);
    match total {
        Some(_) => {
            let len = (last - first + 1).to_string();
            respond::set(&mut response, header::CONTENT_LENGTH, &len);
        }
        None => {
            // It has no end that a cache could rely on.
            respond::set(&mut response, header::CACHE_CONTROL, "no-store");
        }
    }
    response
}
