//! Why a client's bytes go no further, and the answer that says so.

use std::fmt;

use raincheck_core::problem::{MEDIA_TYPE, Problem, ProblemCode};

/// A broken rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// What it is answered with.
    pub(crate) code: ProblemCode,
    /// Which rule, for the client and for the log.
    pub(crate) reason: &'static str,
    /// Whether it was broken in a body, where a handler has the request already.
    pub(crate) in_body: bool,
}

impl Refusal {
    /// A rule of syntax.
    pub(crate) const fn malformed(reason: &'static str) -> Self {
        Self::new(ProblemCode::MalformedRequest, reason)
    }

    /// Any rule.
    pub(crate) const fn new(code: ProblemCode, reason: &'static str) -> Self {
        Self {
            code,
            reason,
            in_body: false,
        }
    }

    /// The problem to answer with.
    pub(crate) fn problem(&self) -> Problem {
        Problem::new(self.code, self.reason)
    }

    /// The whole answer as bytes, for a connection that closes after it.
    pub(crate) fn answer(&self, to_head: bool) -> Vec<u8> {
        let document = self.problem().to_json(None);
        let status = http::StatusCode::from_u16(self.code.status()).unwrap_or_default();
        let mut answer = format!(
            "HTTP/1.1 {} {}\r\ncontent-type: {MEDIA_TYPE}\r\ncache-control: no-store\r\n\
             raincheck-error: gateway\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            status.as_u16(),
            status.canonical_reason().unwrap_or_default(),
            document.len(),
        )
        .into_bytes();
        if !to_head {
            answer.extend_from_slice(&document);
        }
        answer
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl std::error::Error for Refusal {}
