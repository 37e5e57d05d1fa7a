//! The status document: one shape for tickets, status, lists and whatever tells of a job.

mod document;

use std::time::Duration;

use raincheck_core::job::{Job, Status};
use raincheck_core::time::Timestamp;
use serde_json::Value;

use crate::progress::Progress;
pub use document::Document;
use document::Url;

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

    fn url(&self, job: &Job, tail: &'static str) -> String {
        let links = self;
        Url { job, links, tail }.to_string()
    }

    /// The job's own URL.
    pub fn job(&self, job: &Job) -> String {
        self.url(job, "")
    }

    /// The URL of its result.
    pub fn result(&self, job: &Job) -> String {
        self.url(job, "/result")
    }

    /// The URL of its events.
    pub fn events(&self, job: &Job) -> String {
        self.url(job, "/events")
    }

    /// The URL of how its caller is told of its end.
    pub fn deliveries(&self, job: &Job) -> String {
        self.url(job, "/deliveries")
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

/// The status document of a job as a value, for whoever puts it into another. `progress` is what its
/// attempt has reported last, `result` is its response body, where that is small JSON.
pub fn document(
    job: &Job,
    links: &Links,
    progress: Option<&Progress>,
    result: Option<Value>,
) -> Value {
    let document = Document {
        job,
        links,
        progress,
        result: None,
    };
    // Nothing in it is what JSON has not.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(result) = result {
        document["result"] = result;
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
