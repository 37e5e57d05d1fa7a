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
    /// Wrong command line or config.
    pub const USAGE: i32 = 64;
    /// The data is of a newer version or damaged.
    pub const DATA: i32 = 65;
    /// A port is in use or cannot be opened.
    pub const UNAVAILABLE: i32 = 69;
    /// The data directory cannot be created or written.
    pub const CANNOT_CREATE: i32 = 73;
    /// Another process uses the data directory.
    pub const IN_USE: i32 = 75;
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
