//! How a job stands now, or once that has changed.

use http::header;
use http::{Request, Response, StatusCode};
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::limits::RESULT_INLINE_BYTES;
use raincheck_core::problem::Problem;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, result, status};
use serde_json::Value;

use super::wait;
use crate::respond;

/// `GET {jobs}/{id}` and `GET {jobs}/{id}/status`.
pub(crate) async fn status<B>(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    let wanted = wait::wanted(request)?;
    let now = wait::until(runner, id, std::time::Duration::ZERO, |_| true).await?;
    // Who names what it knows waits for anything new, all others for another status.
    let names = request.headers().contains_key(header::IF_NONE_MATCH);
    let known = tag(runner, &now);
    let news = names && !respond::none_match(request.headers(), &known);
    let job = match now.status().is_finished() || news {
        true => now,
        false => {
            let changed = |job: &Job| match names {
                true => tag(runner, job) != known,
                false => job.status() != now.status(),
            };
            wait::until(runner, id, wanted, changed).await?
        }
    };
    let tag = tag(runner, &job);
    if respond::none_match(request.headers(), &tag) {
        let mut response = crate::empty(StatusCode::NOT_MODIFIED);
        respond::set(&mut response, header::ETAG, &tag);
        respond::set_retry_after(&mut response, runner, &job);
        return Ok(response);
    }
    let mut response = document(runner, links, &job, StatusCode::OK).await;
    respond::set(&mut response, header::ETAG, &tag);
    Ok(response)
}

/// A job's status document as an answer.
pub(crate) async fn document(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    status: StatusCode,
) -> Response<Payload> {
    let document = value(runner, links, job).await;
    let mut response = answer::json(status, &document);
    respond::set(&mut response, JOB_ID, &job.id().to_string());
    respond::set_retry_after(&mut response, runner, job);
    response
}

/// A job's status document.
pub(crate) async fn value(runner: &Runner, links: &status::Links, job: &Job) -> Value {
    let result = inline(runner, job).await;
    let progress = runner.progress(job).map(|(_, progress)| progress);
    status::document(job, links, progress.as_ref(), result)
}

/// Names how the job stands: its revision, and which report of its attempt is the last.
pub(crate) fn position(runner: &Runner, job: &Job) -> (u64, u64) {
    let report = runner.progress(job).map_or(0, |(version, _)| version);
    (job.revision().0, report)
}

fn tag(runner: &Runner, job: &Job) -> String {
    let (revision, report) = position(runner, job);
    format!("\"{revision}.{report}\"")
}

/// The response body, when it is plain JSON of at most [`RESULT_INLINE_BYTES`]. A damaged one is
/// not shown; the result endpoint says so.
async fn inline(runner: &Runner, job: &Job) -> Option<Value> {
    let response = job.response()?;
    let kind = response.content_type.as_deref()?.split(';').next()?.trim();
    let json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    if !json || response.content_length > RESULT_INLINE_BYTES {
        return None;
    }
    let stored = result::stored(runner.store(), job).await.ok()??;
    if stored.head.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let reader = runner.store().open(&stored.body).await.ok()?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < stored.body.len() {
        let piece = reader
            .read(bytes.len() as u64, RESULT_INLINE_BYTES as usize)
            .await
            .ok()?;
        if piece.is_empty() {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    serde_json::from_slice(&bytes).ok()
}
