//! What the gateway itself refuses (RFC 9457), as an error of a command.

use http::{StatusCode, response};
use serde_json::Value;

use crate::exit::{Code, Failure};
use crate::output::printable;

/// The gateway's refusal, if this answer is one. A backend's own problems are not: they do not have
/// the gateway's mark.
pub fn refusal(head: &response::Parts, body: &[u8]) -> Option<Failure> {
    let mark = head.headers.get("raincheck-error")?;
    if mark.as_bytes() != b"gateway" {
        return None;
    }
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str);
    let title = text("title")
        .or(head.status.canonical_reason())
        .unwrap_or("refused");
    let mut message = printable(title);
    if let Some(detail) = text("detail").filter(|detail| !detail.is_empty()) {
        message.push_str(": ");
        message.push_str(&printable(detail));
    }
    let word = text("code")
        .map(|code| format!(", {}", printable(code)))
        .unwrap_or_default();
    message.push_str(&format!(" ({}{word})", head.status.as_u16()));
    let code = match (head.status, text("code")) {
        (StatusCode::NOT_FOUND, Some("job-not-found")) => Code::JobNotFound,
        _ => Code::Refused,
    };
    Some(Failure::new(code, message))
}
