//! What the backend does with one request.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::history::{Message, Tag};

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// As it should.
    Whole,
    /// The connection is closed instead of an answer.
    NoHead,
    /// The connection is closed after so many pieces of the body.
    CutAfter(usize),
}

/// What the backend does with one request.
#[derive(Debug, Clone)]
pub struct Script {
    /// How long it works before it says anything.
    pub think: Duration,
    /// The status.
    pub status: u16,
    /// The bytes of the body.
    pub len: usize,
    /// In so many pieces.
    pub pieces: usize,
    /// With this pause before each but the first.
    pub pause: Duration,
    /// Whether the length is told; chunked otherwise.
    pub sized: bool,
    /// Whether trailers follow a chunked body.
    pub trailers: bool,
    /// How it ends.
    pub end: End,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            think: Duration::ZERO,
            status: 200,
            len: 100,
            pieces: 1,
            pause: Duration::ZERO,
            sized: true,
            trailers: false,
            end: End::Whole,
        }
    }
}

impl Script {
    /// An ordinary answer after so long.
    pub fn after(think: Duration) -> Self {
        Self {
            think,
            ..Self::default()
        }
    }

    /// Before which of so many pieces the answer is cut, if it is: always so that it can be told
    /// from a whole one. An answer without a byte whose length is told cannot.
    pub fn cut(&self, status: u16, pieces: usize) -> Option<usize> {
        let End::CutAfter(after) = self.end else {
            return None;
        };
        match pieces.checked_sub(1) {
            Some(last) => Some(after.min(last)),
            None => (!self.sized && status != 204).then_some(0),
        }
    }

    /// The answer to a run of a request: no two are alike.
    pub fn message(&self, tag: Tag, run: u32) -> Message {
        let field = |name: &str, value: String| (name.to_owned(), value);
        let fields = vec![
            field("x-run", format!("{tag}-{run}")),
            field("content-type", "application/octet-stream".to_owned()),
            field("x-twice", "first".to_owned()),
            field("x-twice", "second".to_owned()),
            field("date", "Mon, 23 Nov 2026 00:00:00 GMT".to_owned()),
        ];
        let trailers = match self.trailers && !self.sized && self.status != 204 {
            true => vec![field("x-checked", format!("{tag}-{run}"))],
            false => Vec::new(),
        };
        let len = if self.status == 204 { 0 } else { self.len };
        Message {
            status: self.status,
            fields,
            body: bytes_of(u64::from(tag) << 32 | u64::from(run), len),
            trailers,
        }
    }
}

/// Bytes that nothing else has.
pub fn bytes_of(seed: u64, len: usize) -> Bytes {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bytes = vec![0; len];
    rng.fill(&mut bytes);
    bytes.into()
}

/// Fields as a map.
pub fn map(fields: &[(String, String)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in fields {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::try_from(value)) {
            map.append(name, value);
        }
    }
    map
}
