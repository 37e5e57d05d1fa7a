//! Event streams (HTML standard, section 9.2.6): where their events end, and ids by which a reader
//! continues.
//!
//! An event with an id of its own keeps it. Every other gets one of ours, `rc.{job}.{run}.{offset}`,
//! which says where in which recording the next event begins. The ids of the upstream cannot say
//! which run of a job they are of, so from the second run on every event gets one of ours.

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue};
use raincheck_core::head::ResponseHead;
use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::limits::EVENT_ID_BYTES;

/// `Last-Event-ID`, which a reader that comes again sends.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The media type.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// The longest line that is looked into: `id: ` and an id.
const LINE_BYTES: usize = EVENT_ID_BYTES + 4;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a request is one for events: it says so, or it comes from a reader of events.
pub fn wanted(asked: &HeaderMap) -> bool {
    let accepts = |value: &HeaderValue| {
        value.to_str().is_ok_and(|text| {
            let mut types = text.split(',');
            types.any(is_events)
        })
    };
    asked.contains_key(LAST_EVENT_ID) || asked.get_all(ACCEPT).iter().any(accepts)
}

/// Whether a response is a stream of events whose bytes can be read.
pub fn spoken(head: &ResponseHead) -> bool {
    let kind = head.headers.get(CONTENT_TYPE);
    let coded = head
        .headers
        .get(CONTENT_ENCODING)
        .is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    let events = kind
        .and_then(|value| value.to_str().ok())
        .is_some_and(is_events);
    head.status == 200 && events && !coded
}

fn is_events(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default();
    name.trim().eq_ignore_ascii_case(MEDIA_TYPE)
}

/// An id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    /// Whose events.
    pub job: JobId,
    /// Of which run.
    pub run: FencingToken,
    /// Where the next event begins.
    pub offset: u64,
}

impl EventId {
    /// Reads one of ours; none: it is the upstream's, or none at all.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?.strip_prefix("rc.")?;
        let mut parts = text.split('.');
        let job = parts.next()?.parse().ok()?;
        let run = FencingToken(digits(parts.next()?)?);
        let offset = digits(parts.next()?)?;
        parts.next().is_none().then_some(Self { job, run, offset })
    }
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rc.{}.{}.{}", self.job, self.run.0, self.offset)
    }
}

fn digits(text: &str) -> Option<u64> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all)
}

/// An event that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The id it brings itself, if it is one by which it can be found again.
    pub id: Option<Box<[u8]>>,
}

/// Finds the ends of events in bytes that come in any pieces. Holds one line of at most
/// [`EVENT_ID_BYTES`] and the last id.
#[derive(Debug)]
pub struct Scanner {
    /// The beginning of the line that is being read.
    line: Vec<u8>,
    /// Whether the line has bytes beyond those.
    long: bool,
    after_cr: bool,
    /// Whether the stream's first line has not ended.
    first: bool,
    has_data: bool,
    id: Option<Box<[u8]>>,
}

impl Scanner {
    /// Reads on from `offset`, which is the stream's beginning or follows an event.
    pub fn new(offset: u64) -> Self {
        Self {
            line: Vec::new(),
            long: false,
            after_cr: false,
            first: offset == 0,
            has_data: false,
            id: None,
        }
    }

    /// Reads on to the end of the next event: how many bytes of `bytes` belong to it, of which the
    /// last is the line end that completes it. None: there is no end among them, and they are taken.
    pub fn next(&mut self, bytes: &[u8]) -> Option<(usize, Event)> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
            let Some(end) = end else {
                self.hold(rest);
                return None;
            };
            let (text, ending) = rest.split_at(end);
            self.hold(text);
            at += end + 1;
            let cr = ending.first() == Some(&b'\r');
            let second_half = self.after_cr && !cr && self.is_empty();
            self.after_cr = cr;
            if !second_half && let Some(event) = self.end_line() {
                return Some((at, event));
            }
        }
        None
    }

    fn is_empty(&self) -> bool {
        self.line.is_empty() && !self.long
    }

    fn hold(&mut self, text: &[u8]) {
        if text.is_empty() {
            return;
        }
        self.after_cr = false;
        let room = LINE_BYTES - self.line.len();
        self.long |= text.len() > room;
        self.line
            .extend_from_slice(text.get(..room).unwrap_or(text));
    }

    /// An event, if the line that ended is the blank one after it.
    fn end_line(&mut self) -> Option<Event> {
        let mut line = &self.line[..];
        if std::mem::take(&mut self.first) {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        let long = std::mem::take(&mut self.long);
        let blank = line.is_empty() && !long;
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        match name {
            b"data" => self.has_data = true,
            b"id" => self.id = (!long).then(|| own_id(line)).flatten(),
            _ => {}
        }
        self.line.clear();
        if !blank {
            return None;
        }
        let id = self.id.take();
        std::mem::take(&mut self.has_data).then_some(Event { id })
    }
}

/// The id in an `id` line, if a reader can send it back in a header field as it is.
fn own_id(line: &[u8]) -> Option<Box<[u8]>> {
    let value = line.strip_prefix(b"id:")?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let plain = value.iter().all(|byte| matches!(byte, 0x20..=0x7e));
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| *byte != b' ');
    let usable = plain && edge(value.first()) && edge(value.last());
    (usable && EventId::parse(value).is_none()).then(|| value.into())
}

/// Puts ids of ours where they are needed, while the bytes pass.
#[derive(Debug)]
pub struct Marks {
    job: JobId,
    run: FencingToken,
    scanner: Scanner,
    offset: u64,
}

impl Marks {
    /// For the bytes of a run from `offset` on, which is the stream's beginning or follows an event.
    pub fn new(job: JobId, run: FencingToken, offset: u64) -> Self {
        Self {
            job,
            run,
            scanner: Scanner::new(offset),
            offset,
        }
    }

    /// The next bytes, with ids. The upstream's own bytes are all there, in their order.
    pub fn mark(&mut self, bytes: Bytes) -> Bytes {
        let mut marked: Option<BytesMut> = None;
        let (mut from, mut kept) = (0, 0);
        while let Some((taken, event)) = self.scanner.next(&bytes[from..]) {
            from += taken;
            if event.id.is_some() && self.run == FIRST {
                continue;
            }
            let out = marked.get_or_insert_with(|| BytesMut::with_capacity(2 * bytes.len()));
            // Before the last line end, which completes the event.
            out.extend_from_slice(&bytes[kept..from - 1]);
            let id = EventId {
                job: self.job,
                run: self.run,
                offset: self.offset + from as u64,
            };
            out.extend_from_slice(format!("id: {id}\n").as_bytes());
            kept = from - 1;
        }
        self.offset += bytes.len() as u64;
        match marked {
            None => bytes,
            Some(mut out) => {
                out.extend_from_slice(&bytes[kept..]);
                out.freeze()
            }
        }
    }
}

/// The run whose events keep their own ids.
pub(crate) const FIRST: FencingToken = FencingToken(1);
