//! The answer at the end of a hold: a 202 with where the job is, when to look again and its status
//! document, or a 303 to the result for who cannot be expected to read one: a client that follows
//! redirects, or a browser, which gets a page there. Or a 200 that bytes keep until the end: see
//! [`crate::keepalive`].

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use raincheck_core::job::Job;
use raincheck_core::policy::redirect::next;
use raincheck_core::prefer::Prefer;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, status};

use crate::keepalive;
use crate::service::Ticketed;

/// The ticket of a job that is durable.
pub(crate) fn ticket(
    runner: &Runner,
    job: &Job,
    links: &status::Links,
    prefer: Prefer,
) -> Response<Payload> {
    if prefer.keepalive
        && !runner.is_last_call()
        && let Some(keepalive) = keepalive::of(runner, job)
    {
        let mut response = keepalive::answer(runner, links, job, keepalive, None);
        applied(response.headers_mut(), prefer);
        return response;
    }
    let progress = runner.progress(job).map(|(_, progress)| progress);
    let document = status::Document {
        job,
        links,
        progress: progress.as_ref(),
        result: None,
    };
    let elsewhere = redirect(runner, job, links, prefer);
    let status = match &elsewhere {
        Some(_) => StatusCode::SEE_OTHER,
        None => StatusCode::ACCEPTED,
    };
    let mut response = answer::json_text(status, document.text());
    response.extensions_mut().insert(Ticketed);
    let headers = response.headers_mut();
    let location = links.job(job);
    let typical = runner.typical(job.route());
    let now = runner.ambient().now();
    // With a redirect the field would mean to wait before following it (RFC 9110 section 10.2.3).
    if let Some(wait) = status::retry_after(job, typical, now)
        && elsewhere.is_none()
    {
        headers.insert(header::RETRY_AFTER, answer::whole_seconds(wait));
    }
    let mut set = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    };
    set(header::LINK, format!("<{location}>; rel=\"monitor\""));
    set(header::LOCATION, elsewhere.unwrap_or(location));
    set(JOB_ID, job.id().to_string());
    applied(headers, prefer);
    response
}

/// `Preference-Applied`, where there is one.
fn applied(headers: &mut HeaderMap, prefer: Prefer) {
    let wait = prefer.wait.map(|wait| format!("wait={}", wait.as_secs()));
    let applied: Vec<String> = prefer
        .respond_async
        .then(|| "respond-async".to_owned())
        .into_iter()
        .chain(wait)
        .collect();
    if !applied.is_empty()
        && let Ok(value) = HeaderValue::try_from(applied.join(", "))
    {
        headers.insert(HeaderName::from_static("preference-applied"), value);
    }
}

/// Where a client is sent that waits without knowing it. One that said `respond-async` knows, and a
/// browser that opens a page is shown how far the job is.
fn redirect(runner: &Runner, job: &Job, links: &status::Links, prefer: Prefer) -> Option<String> {
    if prefer.respond_async {
        return None;
    }
    if prefer.page {
        return Some(links.result(job));
    }
    let routes = runner.routes();
    let route = routes.named(job.route()).map(|route| &**route);
    next(route, 0).map(|wait| links.hop(job, wait, 1))
}
