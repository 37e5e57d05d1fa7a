//! Fields that several answers share.

use http::header::{self, HeaderName, HeaderValue};
use http::{HeaderMap, Response};
use raincheck_core::job::Job;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, status};

/// Sets a field if its text can be one.
pub(crate) fn set(response: &mut Response<Payload>, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

/// `Allow` from the detail of a method-not-allowed problem.
pub(crate) fn set_allow(response: &mut Response<Payload>, detail: &str) {
    let methods = detail.rsplit(": ").next().unwrap_or_default();
    set(response, header::ALLOW, methods);
}

/// `Retry-After` while a job is unfinished.
pub(crate) fn set_retry_after(response: &mut Response<Payload>, runner: &Runner, job: &Job) {
    let typical = runner.typical(job.route());
    if let Some(wait) = status::retry_after(job, typical, runner.ambient().now()) {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, answer::whole_seconds(wait));
    }
}

/// Whether an `If-None-Match` names this tag (RFC 9110 section 13.1.2: weak comparison).
pub(crate) fn none_match(headers: &HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.trim() == "*" || list.split(',').any(|own| strong(own) == strong(tag)))
}

/// An `If-Match` that does not name this tag, as a problem (RFC 9110 section 13.1.1: strong
/// comparison). Whoever assembles a result from parts asks so that no part is of another run.
pub(crate) fn check_match(headers: &HeaderMap, tag: &str) -> Result<(), Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(());
    }
    let names = |list: &str| {
        let strong = !tag.starts_with("W/");
        list.trim() == "*" || strong && list.split(',').any(|own| own.trim() == tag)
    };
    let lists = headers.get_all(header::IF_MATCH).iter();
    if lists.filter_map(|value| value.to_str().ok()).any(names) {
        return Ok(());
    }
    let detail = format!("the result is {tag}");
    Err(Problem::new(ProblemCode::PreconditionFailed, detail))
}
