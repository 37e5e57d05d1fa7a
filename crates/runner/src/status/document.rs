//! The status document's shape. Written straight to text: one goes with every ticket, and a tree of
//! values made of it first cost five times as much as the text.

use std::fmt::{self, Display};

use raincheck_core::job::{Job, JobError};
use raincheck_core::outcome::ResponseSummary;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value;

use super::Links;
use crate::progress::Progress;

/// The status document of a job.
#[derive(Debug, Clone, Copy)]
pub struct Document<'a> {
    /// The job.
    pub job: &'a Job,
    /// Where its URLs begin.
    pub links: &'a Links,
    /// What its attempt has reported last.
    pub progress: Option<&'a Progress>,
    /// Its response body, where that is small JSON.
    pub result: Option<&'a Value>,
}

impl Document<'_> {
    /// The document as JSON.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::with_capacity(1024);
        // Memory takes all, and no name or number here is one that JSON has not.
        _ = serde_json::to_writer(&mut text, self);
        text
    }
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let job = self.job;
        let mut fields = serializer.serialize_struct("Document", 15)?;
        fields.serialize_field("job_id", &Shown(job.id()))?;
        fields.serialize_field("status", job.status().as_str())?;
        fields.serialize_field("route", job.route().as_str())?;
        fields.serialize_field("attempt", &job.attempt())?;
        fields.serialize_field("attempts_max", &job.attempts_max())?;
        fields.serialize_field("executions", &job.executions())?;
        fields.serialize_field("progress", &self.progress.map(Reported))?;
        fields.serialize_field("created_at", &Shown(job.created_at()))?;
        fields.serialize_field("started_at", &job.started_at().map(Shown))?;
        fields.serialize_field("finished_at", &job.finished_at().map(Shown))?;
        fields.serialize_field("expires_at", &job.expires_at().map(Shown))?;
        fields.serialize_field("response", &job.response().map(Response))?;
        fields.serialize_field("result", &self.result)?;
        fields.serialize_field("error", &job.error().map(Failure))?;
        fields.serialize_field("links", &Urls(self))?;
        fields.end()
    }
}

/// What is written as it is shown.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Reported<'a>(&'a Progress);

impl Serialize for Reported<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Progress", 3)?;
        fields.serialize_field("percent", &self.0.percent)?;
        fields.serialize_field("message", &self.0.message)?;
        fields.serialize_field("data", &self.0.data)?;
        fields.end()
    }
}

struct Response<'a>(&'a ResponseSummary);

impl Serialize for Response<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Response", 3)?;
        fields.serialize_field("status", &self.0.status)?;
        fields.serialize_field("content_type", &self.0.content_type)?;
        fields.serialize_field("content_length", &self.0.content_length)?;
        fields.end()
    }
}

struct Failure<'a>(&'a JobError);

impl Serialize for Failure<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = self.0.code;
        let page = format!("/_raincheck/problems/{}", code.page());
        let mut fields = serializer.serialize_struct("Error", 5)?;
        fields.serialize_field("code", code.slug())?;
        fields.serialize_field("status", &code.status())?;
        fields.serialize_field("title", code.title())?;
        fields.serialize_field("detail", &self.0.detail)?;
        fields.serialize_field("type", &page)?;
        fields.end()
    }
}

struct Urls<'a>(&'a Document<'a>);

impl Serialize for Urls<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Document { job, links, .. } = self.0;
        let url = |tail| Shown(Url { job, links, tail });
        let told = job.callback().is_some();
        let mut fields = serializer.serialize_struct("Links", 3 + usize::from(told))?;
        fields.serialize_field("self", &url(""))?;
        fields.serialize_field("result", &url("/result"))?;
        fields.serialize_field("events", &url("/events"))?;
        if told {
            fields.serialize_field("deliveries", &url("/deliveries"))?;
        }
        fields.end()
    }
}

/// A URL of a job.
pub(super) struct Url<'a> {
    pub(super) job: &'a Job,
    pub(super) links: &'a Links,
    /// What it has after the job's own.
    pub(super) tail: &'static str,
}

impl Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.links.base())?;
        f.write_str("/")?;
        self.job.id().fmt(f)?;
        f.write_str(self.tail)
    }
}
