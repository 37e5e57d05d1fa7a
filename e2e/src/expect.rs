//! What the product promises in words that tests compare: problem codes, exit codes, job states.
//! One place to change when the contract changes.

use serde_json::Value;

use crate::raw::Response;

/// The states in which a job stays.
pub const FINISHED: [&str; 4] = ["succeeded", "failed", "cancelled", "expired"];

/// Exit codes of the binary.
pub mod exit {
    /// It did what it was asked.
    pub const OK: i32 = 0;
    /// The job that was waited for failed.
    pub const JOB_FAILED: i32 = 2;
    /// The job that was waited for was cancelled.
    pub const JOB_CANCELLED: i32 = 3;
    /// The job's deadline passed while it waited in the queue.
    pub const JOB_EXPIRED: i32 = 4;
    /// There is no such job.
    pub const JOB_NOT_FOUND: i32 = 5;
    /// The job had not ended when the time to wait was over.
    pub const JOB_UNFINISHED: i32 = 6;
    /// There is an answer, with a status of 400 or above.
    pub const ERROR_ANSWER: i32 = 8;
    /// Wrong command line or config.
    pub const USAGE: i32 = 64;
    /// The data directory is damaged.
    pub const DAMAGED: i32 = 65;
    /// The gateway cannot be reached.
    pub const UNREACHABLE: i32 = 69;
    /// An address cannot be listened on.
    pub const PORT_IN_USE: i32 = 71;
    /// There is something else where the data directory should be.
    pub const NOT_CREATED: i32 = 73;
    /// Another process has the data directory.
    pub const IN_USE: i32 = 75;
    /// The data directory was written by a later version.
    pub const NEWER: i32 = 76;
}

/// Fails unless the response is a problem that the gateway made, with this status and code.
#[track_caller]
pub fn problem(response: &Response, status: u16, code: &str) -> Value {
    let shown = format!("{}\n{}", response.head.start, response.text());
    assert_eq!(response.status, status, "{shown}");
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("application/problem+json")
    );
    assert_eq!(
        response.header("raincheck-error").as_deref(),
        Some("gateway"),
        "{shown}"
    );
    assert!(response.is_whole(), "{shown}");
    let document = response.json();
    assert_eq!(document["code"], code, "{shown}");
    assert_eq!(document["status"], status, "{shown}");
    for member in ["type", "title", "detail", "message"] {
        assert!(
            document[member].is_string(),
            "`{member}` is missing: {shown}"
        );
    }
    document
}

/// Fails unless the text is a UUIDv7 in lower case.
#[track_caller]
pub fn job_id(text: &str) {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{text} is no job id");
    let lower_hex = |c: char| c == '-' || c.is_ascii_digit() || ('a'..='f').contains(&c);
    assert!(text.chars().all(lower_hex), "{text} is no job id");
    assert_eq!(text.as_bytes()[14], b'7', "{text} is no UUIDv7");
}
