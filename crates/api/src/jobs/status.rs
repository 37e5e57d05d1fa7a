//! How a job stands now, or once that has changed.

use http::header;
use http::{Request, Response, StatusCode};
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::problem::Problem;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, news, status, told};

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
    let document = told::text(runner, links, job).await;
    let mut response = answer::json_text(status, document);
    respond::set(&mut response, JOB_ID, &job.id().to_string());
    respond::set_retry_after(&mut response, runner, job);
    response
}

fn tag(runner: &Runner, job: &Job) -> String {
    format!("\"{}\"", news::position(runner, job))
}
