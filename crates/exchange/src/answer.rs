//! The answers we author ourselves: problems and JSON documents.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use raincheck_core::problem::{MEDIA_TYPE, Problem};
use raincheck_core::rate::Rate;

use crate::Payload;

/// Says that a problem is ours and not the backend's: `Raincheck-Error: gateway`.
pub const ERROR: HeaderName = HeaderName::from_static("raincheck-error");

/// A problem as a response. `instance` is the URL of the job it is about.
pub fn problem(problem: &Problem, instance: Option<&str>) -> Response<Payload> {
    let status = StatusCode::from_u16(problem.code.status());
    let mut response = Response::new(Payload::from(problem.to_json(instance)));
    *response.status_mut() = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ERROR, HeaderValue::from_static("gateway"));
    if let Some(wait) = problem.retry_after {
        headers.insert(header::RETRY_AFTER, whole_seconds(wait));
    }
    if let Some(rate) = problem.allowed {
        rate_limit(headers, rate, problem.retry_after.unwrap_or_default());
    }
    response
}

/// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers) of a client that has
/// nothing left.
fn rate_limit(headers: &mut HeaderMap, rate: Rate, wait: Duration) {
    let policy = format!("\"client\";q={};w={}", rate.count, rate.per.as_secs());
    let wait = whole_seconds(wait);
    let left = format!("\"client\";r=0;t={}", wait.to_str().unwrap_or("1"));
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// A JSON document as a response that nobody may cache.
pub fn json(status: StatusCode, document: &impl ToString) -> Response<Payload> {
    json_text(status, document.to_string().into_bytes())
}

/// The same of a document that was written already.
pub fn json_text(status: StatusCode, mut text: Vec<u8>) -> Response<Payload> {
    text.push(b'\n');
    let mut response = Response::new(Payload::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A `Retry-After` in whole seconds, rounded up and at least 1.
pub fn whole_seconds(wait: Duration) -> HeaderValue {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(seconds.max(1))
}
