//! An upstream's answer: its head, and its body as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use raincheck_core::outcome::Failure;

use super::framing;
use super::http2::InStream;
use super::lease::Lease;
use super::silence::Silence;
use super::switch::Switching;
use super::words::{self, Phase};

/// The head of a response, and its body to be read.
#[derive(Debug)]
pub struct Answer {
    /// Status, fields as they came, and extensions (`hyper::ext::ReasonPhrase` where the phrase
    /// is not the usual one).
    pub head: http::response::Parts,
    /// The body.
    pub body: AnswerBody,
}

/// The body of a response: data and trailers from the upstream.
///
/// At its clean end the connection goes back to the pool; dropped before, the connection is closed
/// at once. A body that was cut short ends with an error, and goes on giving that error.
pub struct AnswerBody {
    incoming: Incoming,
    state: State,
    silence: Silence,
    keeps_connection: bool,
}

enum State {
    Open(Lease),
    InStream(Box<InStream>),
    Switching(Box<Switching>),
    Ended,
    Failed(Box<Failure>),
}

impl AnswerBody {
    /// The body of a response with this head, on this connection.
    pub(super) fn new(
        head: &http::response::Parts,
        incoming: Incoming,
        lease: Lease,
        idle: Option<Duration>,
    ) -> Self {
        let switches = lease.conn.switches;
        let mut body = Self {
            incoming,
            state: State::Open(lease),
            silence: Silence::new(idle),
            keeps_connection: framing::keeps_connection(head) && !switches,
        };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
    }

    /// The body of a response on an HTTP/2 stream.
    pub(super) fn in_stream(
        incoming: Incoming,
        stream: Box<InStream>,
        idle: Option<Duration>,
    ) -> Self {
        let mut body = Self {
            incoming,
            state: State::InStream(stream),
            silence: Silence::new(idle),
            keeps_connection: true,
        };
        if body.incoming.is_end_stream() {
            body.end();
        }
        body
    }

    /// No body at all: the connection goes on in another protocol.
    pub(super) fn switching(incoming: Incoming, switching: Box<Switching>) -> Self {
        Self {
            incoming,
            state: State::Switching(switching),
            silence: Silence::new(None),
            keeps_connection: false,
        }
    }

    /// The connection, where this follows the head of a 101. Gives it once.
    pub fn take_switching(&mut self) -> Option<Box<Switching>> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Switching(switching) => Some(switching),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// The clean end: gives the connection back.
    fn end(&mut self) {
        if let State::Open(lease) = std::mem::replace(&mut self.state, State::Ended) {
            lease.finish(self.keeps_connection);
        }
    }

    fn poll_open(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Box<Failure>>>> {
        let (link, timer) = match &mut self.state {
            State::Open(lease) => {
                let conn = &mut *lease.conn;
                (&*conn.link, &mut conn.timer)
            }
            State::InStream(stream) => (&*stream.link, &mut stream.timer),
            State::Switching(_) | State::Ended | State::Failed(_) => return Poll::Ready(None),
        };
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.broken();
                if frame.is_trailers() || self.incoming.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                let failure = words::broken(&error, link, Phase::Body);
                Poll::Ready(Some(Err(Box::new(failure))))
            }
            Poll::Pending => {
                let silent = self.silence.poll(timer, link, cx);
                silent.map(|limit| {
                    let failure = words::silent(limit, link, Phase::Body);
                    Some(Err(Box::new(failure)))
                })
            }
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = &mut *self;
        if let State::Failed(failure) = &this.state {
            return Poll::Ready(Some(Err((**failure).clone())));
        }
        match this.poll_open(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(failure))) => {
                let error = (*failure).clone();
                this.state = State::Failed(failure);
                Poll::Ready(Some(Err(error)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.state {
            State::Open(_) | State::InStream(_) => self.incoming.is_end_stream(),
            State::Switching(_) | State::Ended => true,
            State::Failed(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.state {
            State::Open(_) | State::InStream(_) => self.incoming.size_hint(),
            State::Switching(_) | State::Ended => SizeHint::with_exact(0),
            State::Failed(_) => SizeHint::default(),
        }
    }
}

impl std::fmt::Debug for AnswerBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.state {
            State::Open(_) | State::InStream(_) => "AnswerBody(open)",
            State::Switching(_) => "AnswerBody(switching)",
            State::Ended => "AnswerBody(ended)",
            State::Failed(_) => "AnswerBody(failed)",
        })
    }
}
