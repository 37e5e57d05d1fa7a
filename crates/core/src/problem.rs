//! Problem details (RFC 9457): every answer we author ourselves, as a value.

pub mod code;

use std::time::Duration;

pub use code::{ProblemCode, SideEffects};

use crate::id::JobId;
use crate::limits::DETAIL_BYTES;
use crate::rate::Rate;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One occurrence of a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which of the closed set it is.
    pub code: ProblemCode,
    /// What happened here, for a person; safe to show to any client.
    pub detail: String,
    /// Whether the same request may be sent again, and may do better later.
    pub retryable: bool,
    /// When to try again, sent as `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The rate that was exceeded, sent as `RateLimit-Policy`.
    pub allowed: Option<Rate>,
    /// The job it is about.
    pub job: Option<JobId>,
}

impl Problem {
    /// A problem with its detail, cut to [`DETAIL_BYTES`] and freed of control characters.
    pub fn new(code: ProblemCode, detail: impl AsRef<str>) -> Self {
        Self {
            code,
            detail: clean(detail.as_ref()),
            retryable: code.retryable(),
            retry_after: None,
            allowed: None,
            job: None,
        }
    }

    /// The same, told to who would send the request again: nothing of it must have come to the
    /// backend, or it may come there twice.
    #[must_use]
    pub fn after(mut self, maybe_seen: bool, repeatable: bool) -> Self {
        if maybe_seen && !repeatable {
            self.retryable = false;
            self.retry_after = None;
        }
        self
    }

    /// The same with a `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same for a request beyond a rate.
    #[must_use]
    pub fn beyond(mut self, rate: Rate) -> Self {
        self.allowed = Some(rate);
        self
    }

    /// The same about a job.
    #[must_use]
    pub fn about(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// The document's bytes. `instance` is the job's URL, where there is a job.
    pub fn to_json(&self, instance: Option<&str>) -> Vec<u8> {
        let mut document = self.to_value();
        if let (Some(map), Some(instance)) = (document.as_object_mut(), instance) {
            map.insert("instance".into(), instance.into());
        }
        let mut text = document.to_string().into_bytes();
        text.push(b'\n');
        text
    }

    /// The document as a JSON value.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::json!({
            "type": format!("/_raincheck/problems/{}", self.code.page()),
            "title": self.code.title(),
            "status": self.code.status(),
            "detail": self.detail,
            "code": self.code.slug(),
            "message": self.code.message(),
            "retryable": self.retryable,
        })
    }
}

/// Text from outside made safe to print: no characters that end a line or turn the direction of
/// writing, no other control characters, bounded, whole characters.
pub fn clean(text: &str) -> String {
    let safe = |c: char| {
        !c.is_control()
            && !matches!(c, '\u{061c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut out = String::new();
    for c in text.chars().map(|c| if safe(c) { c } else { ' ' }) {
        if out.len() + c.len_utf8() > DETAIL_BYTES {
            break;
        }
        out.push(c);
    }
    out
}
