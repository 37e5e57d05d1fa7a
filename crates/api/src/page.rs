//! What a person sees whose browser waits for a result: a small page without anything from
//! elsewhere, which opens the result when it is there.
//!
//! With scripts it follows the job and shows its progress; without them it loads itself again. What
//! came from outside is escaped, and the policy of the page lets nothing run or load but its own
//! style and script, named by their digests.

use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use raincheck_core::job::{Job, Status};
use raincheck_core::time::Timestamp;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, status};

use crate::respond;

const PAGE: &str = include_str!("page/waiting.html");
const STYLE: &str = include_str!("page/waiting.css");
const SCRIPT: &str = include_str!("page/waiting.js");

/// Nothing but our own style and script, and requests to ourselves; never in another's frame. A
/// test keeps the digests right.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; connect-src 'self'; img-src data:; \
    style-src 'sha256-0EJpY3JhOoZK9S51g7YdgrT/7cTkFszPOR8JOGA9iY4='; script-src 'sha256-q1qO4voMrniod7pN1qXhDeLCw9toN694EB//3bn9KEA='";

/// Seconds after which a browser without scripts looks again.
const REFRESH_MIN: u64 = 2;
const REFRESH_MAX: u64 = 20;

/// The page about a job without a response: one that is not finished, or ended without one. Its
/// status code is that of a status document or of the problem.
pub(crate) fn page(
    runner: &Runner,
    links: &status::Links,
    job: &Job,
    code: StatusCode,
) -> Response<Payload> {
    let html = html(links, job, runner.ambient().now(), refresh(runner, job));
    let mut response = Response::new(Payload::from(html.into_bytes()));
    *response.status_mut() = code;
    let mut set = |name: HeaderName, value: &'static str| {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    };
    set(header::CONTENT_TYPE, "text/html; charset=utf-8");
    set(header::CACHE_CONTROL, "no-store");
    set(header::VARY, "accept, sec-fetch-mode");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    if code.is_client_error() || code.is_server_error() {
        set(answer::ERROR, "gateway");
    }
    respond::set(&mut response, JOB_ID, &job.id().to_string());
    response
}

fn refresh(runner: &Runner, job: &Job) -> u64 {
    let now = runner.ambient().now();
    let wait = status::retry_after(job, runner.typical(job.route()), now);
    wait.map_or(REFRESH_MAX, |wait| wait.as_secs())
        .clamp(REFRESH_MIN, REFRESH_MAX)
}

fn html(links: &status::Links, job: &Job, now: Timestamp, refresh: u64) -> String {
    let (title, advice) = words(job);
    let created = job.created_at().to_string();
    let until = job.finished_at().unwrap_or(now);
    let running = !job.status().is_finished();
    let fields = [
        ("title", escape(title)),
        ("advice", escape(&advice)),
        ("refresh", refresh.to_string()),
        ("job", escape(&links.job(job))),
        ("result", escape(&links.result(job))),
        ("id", job.id().to_string()),
        ("route", escape(job.route().as_str())),
        ("status", job.status().as_str().to_owned()),
        ("since", created.replace('T', " ").replace('Z', " UTC")),
        ("created", created),
        ("elapsed", span(until.since(job.created_at()))),
        ("progress", String::new()),
        (
            "bar",
            if running {
                BAR.to_owned()
            } else {
                String::new()
            },
        ),
        (
            "cancel",
            if running {
                cancel(links, job)
            } else {
                String::new()
            },
        ),
        ("style", STYLE.to_owned()),
        ("script", SCRIPT.to_owned()),
    ];
    fill(PAGE, &fields)
}

const BAR: &str = r#"<progress id="bar" max="100" aria-labelledby="progress"></progress>"#;

fn cancel(links: &status::Links, job: &Job) -> String {
    let url = escape(&links.cancel(job));
    format!("<form method=\"post\" action=\"{url}\"><button>Cancel</button></form>")
}

/// What the page says first.
fn words(job: &Job) -> (&'static str, String) {
    let why = || {
        job.error().map_or_else(String::new, |error| {
            format!("{}: {}", error.code.title(), error.detail)
        })
    };
    match job.status() {
        Status::Queued | Status::Processing => (
            "Still working",
            "Your request is being worked on. This page opens the result when it is ready; you \
             may leave and come back to its address."
                .to_owned(),
        ),
        Status::Succeeded => ("Ready", "The result is at this address.".to_owned()),
        Status::Failed => ("It did not work", why()),
        Status::Cancelled => ("Cancelled", "The request was cancelled.".to_owned()),
        Status::Expired => ("Too late", why()),
    }
}

/// Replaces each `{{name}}` in one pass, so that a value that looks like one stays as it is.
fn fill(template: &str, fields: &[(&str, String)]) -> String {
    let mut page = String::with_capacity(template.len() + 8192);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        page.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else {
            rest = after;
            continue;
        };
        let value = fields.iter().find(|(known, _)| *known == name);
        page.push_str(value.map_or("", |(_, value)| value));
        rest = tail;
    }
    page.push_str(rest);
    page
}

/// Text as it may stand in an element or a quoted attribute. Controls, and marks that turn the
/// direction of text, become a replacement character: nobody outside decides how the page reads.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// `1 h 2 min 3 s`, without what is zero before it.
fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let shown = parts
        .iter()
        .filter(|(count, unit)| *count > 0 || *unit == "s")
        .map(|(count, unit)| format!("{count} {unit}"));
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
