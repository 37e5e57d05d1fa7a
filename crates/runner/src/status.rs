//! The status document: one shape for tickets, status, lists and whatever tells of a job.

use std::time::Duration;

use raincheck_core::job::{Job, Status};
use raincheck_core::time::Timestamp;
use serde_json::{Value, json};

use crate::progress::Progress;

/// Where a job's URLs begin: `/jobs`, or with a scheme and host before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Links {
    base: String,
}

impl Links {
    /// Links below `base`, without a slash at its end.
    pub fn new(base: impl Into<String>) -> Self {
        Self { base: base.into() }
    }

    /// What all of them begin with.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The job's own URL.
    pub fn job(&self, job: &Job) -> String {
        format!("{}/{}", self.base, job.id())
    }

    /// The URL of its result.
    pub fn result(&self, job: &Job) -> String {
        format!("{}/{}/result", self.base, job.id())
    }

    /// The URL of its events.
    pub fn events(&self, job: &Job) -> String {
        format!("{}/{}/events", self.base, job.id())
    }

    /// The URL of how its caller is told of its end.
    pub fn deliveries(&self, job: &Job) -> String {
        format!("{}/{}/deliveries", self.base, job.id())
    }

    /// The URL at which one of these is asked for again.
    pub fn redeliver(&self, job: &Job, number: u32) -> String {
        format!("{}/{number}/redeliver", self.deliveries(job))
    }

    /// The URL to which a form that cancels it is sent.
    pub fn cancel(&self, job: &Job) -> String {
        format!("{}/{}/cancel", self.base, job.id())
    }

    /// The URL of its result for the client that follows redirects, for the `hop`th of them, which
    /// waits that long.
    pub fn hop(&self, job: &Job, wait: Duration, hop: u32) -> String {
        let wait = wait.as_secs();
        format!("{}/{}/result?wait={wait}&hop={hop}", self.base, job.id())
    }
}

/// The status document of a job. `progress` is what its attempt has reported last, `result` is its response body, where that is small JSON.
pub fn document(
    job: &Job,
    links: &Links,
    progress: Option<&Progress>,
    result: Option<Value>,
) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mut document = json!({
        "job_id": job.id().to_string(),
        "status": job.status().as_str(),
        "route": job.route().as_str(),
        "attempt": job.attempt(),
        "attempts_max": job.attempts_max(),
        "executions": job.executions(),
        "progress": progress.map(|progress| json!({
            "percent": progress.percent,
            "message": progress.message,
            "data": progress.data,
        })),
        "created_at": job.created_at().to_string(),
        "started_at": time(job.started_at()),
        "finished_at": time(job.finished_at()),
        "expires_at": time(job.expires_at()),
        "response": job.response().map(|response| json!({
            "status": response.status,
            "content_type": response.content_type,
            "content_length": response.content_length,
        })),
        "result": result,
        "error": job.error().map(|error| json!({
            "code": error.code.slug(),
            "status": error.code.status(),
            "title": error.code.title(),
            "detail": error.detail,
            "type": format!("/_raincheck/problems/{}", error.code.page()),
        })),
        "links": {
            "self": links.job(job),
            "result": links.result(job),
            "events": links.events(job),
        },
    });
    if job.callback().is_some() {
        document["links"]["deliveries"] = links.deliveries(job).into();
    }
    document
}

/// When to look again: what is left of the time that attempts of this route usually take, within
/// bounds that suit a person and a machine; none once the job is finished.
pub fn retry_after(job: &Job, typical: Option<Duration>, now: Timestamp) -> Option<Duration> {
    if job.status().is_finished() {
        return None;
    }
    let elapsed = match job.status() {
        Status::Processing => now.since(job.started_at().unwrap_or(now)),
        _ => Duration::ZERO,
    };
    let until_due = job.due_at().map_or(Duration::ZERO, |due| due.since(now));
    let left = match typical {
        Some(typical) if typical > elapsed => typical - elapsed,
        Some(_) => elapsed / 4,
        None => elapsed,
    };
    let wait = until_due.saturating_add(left);
    Some(wait.clamp(Duration::from_secs(1), Duration::from_secs(60)))
}
