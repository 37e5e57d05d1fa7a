//! Follows the requests in a byte stream, however it is cut into pieces.

use raincheck_core::problem::ProblemCode;

use super::bytes::is_token_byte;
use super::chunk;
use super::head::{self, Framing, Head, METHOD_BYTES};
use super::refusal::Refusal;
use crate::server::ServerOptions;

/// Bytes of all trailer lines of one body. hyper stops at 16 KiB.
const TRAILER_BYTES: usize = 12 * 1024;
/// Empty lines before a request, which a server ought to skip (RFC 9112 section 2.2).
const EMPTY_LINES: usize = 4;
/// What a request line has besides its method and target, and some more.
const REQUEST_LINE_SLACK: usize = 64;

/// A line buffer up to this size is kept for the next line that comes in pieces.
const LINE_KEPT_BYTES: usize = 1024;

const BARE_LF: Refusal = Refusal::malformed("a line does not end with CR LF");
const NO_REQUEST: Refusal = Refusal::malformed("this is not the beginning of a request");
const TLS: Refusal = Refusal::malformed(
    "this is TLS, and this listener speaks plain HTTP: use http:// or put a TLS proxy in front",
);
/// The first byte of a TLS handshake (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
const CHUNK_END: Refusal = Refusal::malformed("a chunk does not end where its size says");
const HEAD_BYTES: Refusal = Refusal::new(
    ProblemCode::HeadersTooLarge,
    "the header section is larger than allowed (64 KiB unless server.max_request_head says otherwise)",
);
const HEAD_FIELDS: Refusal = Refusal::new(
    ProblemCode::HeadersTooLarge,
    "the header section has more than 100 fields",
);
const TRAILERS: Refusal = Refusal::new(
    ProblemCode::HeadersTooLarge,
    "the trailer section is too large",
);

/// How much a client may send where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    head_bytes: usize,
    target_bytes: usize,
    fields: usize,
}

impl From<&ServerOptions> for Limits {
    fn from(options: &ServerOptions) -> Self {
        Self {
            head_bytes: options.head_bytes_max,
            target_bytes: options.target_bytes_max,
            fields: options.headers_max,
        }
    }
}

/// What comes next in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    RequestLine,
    Fields,
    /// This many bytes of a body.
    Length(u64),
    ChunkSize,
    /// This many bytes of a chunk.
    Chunk(u64),
    /// The line end after a chunk.
    ChunkEnd,
    Trailers,
    /// Nothing before the answer to an upgrade is known: the bytes may be those of another protocol.
    Offer,
}

/// Follows one connection's requests. After a violation it must not be asked again.
#[derive(Debug)]
pub(crate) struct Inspector {
    limits: Limits,
    state: State,
    head: Head,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Bytes of this header or trailer section, or empty lines before a request.
    section_bytes: usize,
    fields: usize,
    extension_bytes: usize,
    requests: u64,
    /// Whether a head with an upgrade has ended that nobody was told of.
    offers: bool,
}

/// A broken rule, and how many of the inspected bytes may pass all the same: none of a refused head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) refusal: Refusal,
    pub(crate) pass: usize,
}

impl Inspector {
    /// At the start of a connection.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::RequestLine,
            head: Head::default(),
            line: Vec::new(),
            section_bytes: 0,
            fields: 0,
            extension_bytes: 0,
            requests: 0,
            offers: false,
        }
    }

    /// Whether a head has ended that asks for an upgrade. Says so once.
    pub(crate) fn take_offer(&mut self) -> bool {
        std::mem::take(&mut self.offers)
    }

    /// Whether nothing is looked at before the answer to an upgrade is known.
    pub(crate) fn waits_for_answer(&self) -> bool {
        self.state == State::Offer
    }

    /// The upgrade was refused: what follows is the next request.
    pub(crate) fn go_on(&mut self) {
        if self.state == State::Offer {
            self.state = State::RequestLine;
        }
    }

    /// Whether a request head has begun and not ended.
    pub(crate) fn is_mid_head(&self) -> bool {
        match self.state {
            State::RequestLine => !self.line.is_empty(),
            State::Fields => true,
            _ => false,
        }
    }

    /// Whether a body has begun and not ended.
    pub(crate) fn is_mid_body(&self) -> bool {
        !matches!(
            self.state,
            State::RequestLine | State::Fields | State::Offer
        )
    }

    /// Whether the last request was HTTP/1.0, whose answer may end with nothing but the connection.
    pub(crate) fn is_http10(&self) -> bool {
        self.head.is_http10
    }

    /// Whether the last request line was of a HEAD request.
    pub(crate) fn is_head(&self) -> bool {
        self.head.is_head
    }

    /// Heads that ended so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }

    /// Looks at the next bytes of the stream. Returns how many of them may pass: all but those of a
    /// head that has not ended, so that hyper never sees a part of one, and those after a request
    /// for an upgrade.
    pub(crate) fn inspect(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        // Where the head that is being read, or the line of a body, began as far as it lies in here.
        let mut unit = 0;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.state == State::Offer {
                return Ok(at);
            }
            if self.line.is_empty() && self.state != State::Fields {
                unit = at;
            }
            match self.step(rest) {
                Ok(taken) => at += taken,
                Err(refusal) => {
                    let in_body = self.is_mid_body();
                    return Err(Violation {
                        refusal: Refusal { in_body, ..refusal },
                        pass: unit,
                    });
                }
            }
        }
        Ok(if self.is_mid_head() {
            unit
        } else {
            bytes.len()
        })
    }

    /// Takes body bytes or one line, or the part of it that has come.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        if let State::Length(left) | State::Chunk(left) = self.state {
            return Ok(self.skip(bytes.len(), left));
        }
        let Some(end) = memchr::memchr(b'\n', bytes) else {
            self.line.extend_from_slice(bytes);
            self.check_line(&self.line)?;
            return Ok(bytes.len());
        };
        let here = bytes.get(..end).unwrap_or_default();
        if self.line.is_empty() {
            self.take_line(here)?;
        } else {
            let mut whole = std::mem::take(&mut self.line);
            whole.extend_from_slice(here);
            self.take_line(&whole)?;
            if whole.capacity() <= LINE_KEPT_BYTES {
                whole.clear();
                self.line = whole;
            }
        }
        Ok(end + 1)
    }

    /// Passes over body bytes.
    fn skip(&mut self, available: usize, left: u64) -> usize {
        let taken = usize::try_from(left).map_or(available, |left| left.min(available));
        let left = left - taken as u64;
        self.state = match self.state {
            State::Chunk(_) if left == 0 => State::ChunkEnd,
            State::Chunk(_) => State::Chunk(left),
            _ if left == 0 => self.next_request(),
            _ => State::Length(left),
        };
        taken
    }

    /// Takes one line, which still has its CR.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.check_line(line)?;
        self.section_bytes += line.len() + 1;
        let line = line.strip_suffix(b"\r").ok_or(BARE_LF)?;
        self.state = match (self.state, line) {
            (State::RequestLine, []) => self.empty_line()?,
            (State::RequestLine, _) => self.request_line(line)?,
            (State::Fields, []) => self.end_of_head()?,
            (State::Fields, _) => {
                self.count_field(HEAD_FIELDS)?;
                self.head.field(line)?;
                State::Fields
            }
            (State::ChunkSize, _) => match chunk::size(line, &mut self.extension_bytes)? {
                0 => {
                    self.begin_section();
                    State::Trailers
                }
                size => State::Chunk(size),
            },
            (State::ChunkEnd, []) => State::ChunkSize,
            (State::ChunkEnd, _) => return Err(CHUNK_END),
            (State::Trailers, []) => self.next_request(),
            (State::Trailers, _) => {
                self.count_field(TRAILERS)?;
                head::trailer(line)?;
                State::Trailers
            }
            (State::Length(_) | State::Chunk(_) | State::Offer, _) => self.state,
        };
        Ok(())
    }

    fn empty_line(&mut self) -> Result<State, Refusal> {
        self.fields += 1;
        match self.fields > EMPTY_LINES {
            true => Err(NO_REQUEST),
            false => Ok(State::RequestLine),
        }
    }

    fn request_line(&mut self, line: &[u8]) -> Result<State, Refusal> {
        self.fields = 0;
        self.head = Head::default();
        self.head.request_line(line, self.limits.target_bytes)?;
        Ok(State::Fields)
    }

    fn end_of_head(&mut self) -> Result<State, Refusal> {
        let framing = self.head.end()?;
        self.requests += 1;
        self.offers |= self.head.offers();
        self.begin_section();
        Ok(match framing {
            Framing::Nothing => self.next_request(),
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkSize,
        })
    }

    fn next_request(&mut self) -> State {
        self.begin_section();
        self.extension_bytes = 0;
        match self.head.offers() {
            true => State::Offer,
            false => State::RequestLine,
        }
    }

    fn begin_section(&mut self) {
        self.section_bytes = 0;
        self.fields = 0;
    }

    fn count_field(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        self.fields += 1;
        match self.fields > self.limits.fields {
            true => Err(refusal),
            false => Ok(()),
        }
    }

    /// Refuses a line that can no longer become a good one, however it goes on. Whole lines are put
    /// to the same test, so that it does not matter how the stream is cut.
    fn check_line(&self, line: &[u8]) -> Result<(), Refusal> {
        let first = line.first().copied().unwrap_or(b'\r');
        let section = self.section_bytes + line.len();
        match self.state {
            State::RequestLine if first == TLS_HANDSHAKE => Err(TLS),
            State::RequestLine if !is_token_byte(first) && first != b'\r' => Err(NO_REQUEST),
            State::RequestLine if line.len() > self.request_line_max() => {
                Err(Head::endless_line(line))
            }
            State::Fields if section > self.limits.head_bytes => Err(HEAD_BYTES),
            State::Trailers if section > TRAILER_BYTES => Err(TRAILERS),
            State::ChunkSize if line.len() > chunk::LINE_BYTES => Err(chunk::LINE),
            State::ChunkEnd if !matches!(line, [] | [b'\r']) => Err(CHUNK_END),
            _ => Ok(()),
        }
    }

    fn request_line_max(&self) -> usize {
        METHOD_BYTES + self.limits.target_bytes + REQUEST_LINE_SLACK
    }
}
