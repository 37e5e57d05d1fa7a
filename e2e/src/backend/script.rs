//! The steps a backend can take, and how to write them down.

use bytes::Bytes;

use crate::event::{Event, Gate};

/// One thing the backend does for a request.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Read the request body to its end.
    ReadBody,
    /// Read at least this many bytes of the body.
    ReadSome(u64),
    /// Wait until the test lets it go on; ends the script if the gateway closes first.
    Wait(Event),
    /// Wait until the test lets it go on, without reading, so that the sockets fill up.
    Pause(Event),
    /// Tell the test that this point was reached.
    Signal(Event),
    /// Send these bytes.
    Send(Bytes),
    /// Send them one by one; each waits for the gate, if there is one.
    Drip(Bytes, Option<Gate>),
    /// Send this many bytes of the pattern, as they are.
    Pattern(u64),
    /// Send this many bytes of the pattern as chunks, without the last chunk.
    PatternChunks(u64),
    /// Answer with a JSON document of the request.
    Echo,
    /// Answer 200 with the request's own body.
    Mirror,
    /// Close the sending side and wait until the gateway closes too.
    HalfClose,
    /// Reset the connection.
    Reset,
    /// Close the connection.
    Close,
    /// Wait until the gateway closes.
    UntilClosed,
}

/// What a backend does for one request, in order. Afterwards it keeps the connection alive and
/// waits for the next request, unless the last step ended the connection.
#[derive(Clone, Debug)]
pub struct Script {
    pub(super) steps: Vec<Step>,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// A script that first reads the whole request.
    #[must_use]
    pub fn new() -> Self {
        Self {
            steps: vec![Step::ReadBody],
        }
    }

    /// A script that starts right after the request head: it answers early, and reads only what
    /// it is told to.
    #[must_use]
    pub fn early() -> Self {
        Self { steps: Vec::new() }
    }

    fn and(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Reads the request body to its end.
    #[must_use]
    pub fn read_body(self) -> Self {
        self.and(Step::ReadBody)
    }

    /// Reads at least `len` bytes of the request body.
    #[must_use]
    pub fn read_some(self, len: u64) -> Self {
        self.and(Step::ReadSome(len))
    }

    /// Waits until `event` has fired.
    #[must_use]
    pub fn wait(self, event: &Event) -> Self {
        self.and(Step::Wait(event.clone()))
    }

    /// Waits until `event` has fired and reads nothing meanwhile: the gateway's bytes pile up, and
    /// its closing goes unnoticed.
    #[must_use]
    pub fn pause(self, event: &Event) -> Self {
        self.and(Step::Pause(event.clone()))
    }

    /// Fires `event`.
    #[must_use]
    pub fn signal(self, event: &Event) -> Self {
        self.and(Step::Signal(event.clone()))
    }

    /// Sends exactly these bytes.
    #[must_use]
    pub fn send(self, bytes: impl AsRef<[u8]>) -> Self {
        self.and(Step::Send(Bytes::copy_from_slice(bytes.as_ref())))
    }

    /// Sends these bytes one at a time, each in its own packet.
    #[must_use]
    pub fn drip(self, bytes: impl AsRef<[u8]>) -> Self {
        self.and(Step::Drip(Bytes::copy_from_slice(bytes.as_ref()), None))
    }

    /// Sends these bytes one at a time, each when the gate lets it.
    #[must_use]
    pub fn drip_through(self, bytes: impl AsRef<[u8]>, gate: &Gate) -> Self {
        self.and(Step::Drip(
            Bytes::copy_from_slice(bytes.as_ref()),
            Some(gate.clone()),
        ))
    }

    /// Sends `len` bytes of the pattern.
    #[must_use]
    pub fn pattern(self, len: u64) -> Self {
        self.and(Step::Pattern(len))
    }

    /// Sends `len` bytes of the pattern as chunks; the last chunk and trailers are up to the
    /// next step.
    #[must_use]
    pub fn pattern_chunks(self, len: u64) -> Self {
        self.and(Step::PatternChunks(len))
    }

    /// Sends chunks until the gateway closes.
    #[must_use]
    pub fn endless(self) -> Self {
        self.and(Step::PatternChunks(u64::MAX))
    }

    /// Answers 200 with a JSON document of the request.
    #[must_use]
    pub fn echo(self) -> Self {
        self.and(Step::Echo)
    }

    /// Answers 200 with the request's own body, as far as the log keeps it.
    #[must_use]
    pub fn mirror(self) -> Self {
        self.and(Step::Mirror)
    }

    /// Answers with this status line end (`200 OK`), these header lines and this body.
    #[must_use]
    pub fn respond(self, status: &str, headers: &[&str], body: &str) -> Self {
        self.send(answer(status, headers, body))
    }

    /// Answers 200 with this text.
    #[must_use]
    pub fn ok(self, body: &str) -> Self {
        self.respond("200 OK", &["content-type: text/plain"], body)
    }

    /// Answers 200 with this JSON text.
    #[must_use]
    pub fn json(self, body: &str) -> Self {
        self.respond("200 OK", &["content-type: application/json"], body)
    }

    /// Closes the sending side, then waits until the gateway closes.
    #[must_use]
    pub fn half_close(self) -> Self {
        self.and(Step::HalfClose)
    }

    /// Resets the connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.and(Step::Reset)
    }

    /// Closes the connection in order.
    #[must_use]
    pub fn close(self) -> Self {
        self.and(Step::Close)
    }

    /// Waits until the gateway closes the connection.
    #[must_use]
    pub fn until_closed(self) -> Self {
        self.and(Step::UntilClosed)
    }
}

/// A whole response with a right `content-length`.
#[must_use]
pub fn answer(status: &str, headers: &[&str], body: &str) -> String {
    let mut out = format!("HTTP/1.1 {status}\r\n");
    for line in headers {
        out.push_str(line);
        out.push_str("\r\n");
    }
    out.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    out
}
