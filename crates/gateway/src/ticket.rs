//! The 202: where the job is, when to look again, and its status document.

use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use raincheck_core::job::Job;
use raincheck_core::prefer::Prefer;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, status};

use crate::service::Ticketed;

/// `Raincheck-Job-Id`, on tickets and results.
pub(crate) const JOB_ID: HeaderName = HeaderName::from_static("raincheck-job-id");

/// The ticket of a job that is durable.
pub(crate) fn ticket(
    runner: &Runner,
    job: &Job,
    links: &status::Links,
    prefer: Prefer,
) -> Response<Payload> {
    let document = status::document(job, links, None);
    let mut response = answer::json(StatusCode::ACCEPTED, &document);
    response.extensions_mut().insert(Ticketed);
    let headers = response.headers_mut();
    let location = links.job(job);
    let typical = runner.typical(job.route());
    let now = runner.ambient().now();
    if let Some(wait) = status::retry_after(job, typical, now) {
        headers.insert(header::RETRY_AFTER, answer::whole_seconds(wait));
    }
    let mut set = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    set(header::LINK, format!("<{location}>; rel=\"monitor\""));
    set(header::LOCATION, location);
    set(JOB_ID, job.id().to_string());
    let wait = prefer.wait.map(|wait| format!("wait={}", wait.as_secs()));
    let applied: Vec<String> = prefer
        .respond_async
        .then(|| "respond-async".to_owned())
        .into_iter()
        .chain(wait)
        .collect();
    if !applied.is_empty() {
        set(
            HeaderName::from_static("preference-applied"),
            applied.join(", "),
        );
    }
    response
}
