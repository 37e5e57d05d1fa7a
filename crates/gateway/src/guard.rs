//! Strictness below hyper: an HTTP/1 client's bytes are followed as they pass, and what two servers
//! could read in two ways goes no further.
//!
//! hyper repairs or accepts much of what smuggles requests: a length beside `chunked`, doubled
//! fields, bare line feeds. It does so silently, before anything above it could look. So the guard
//! sits between the socket and hyper. It hands on whole heads and whatever there is of bodies, and
//! copies nothing but heads that came in pieces ([`inspect`]). When a rule is broken:
//!
//! - In a head, hyper sees nothing of that request. Once the requests before it are answered it
//!   sees the end of the stream, and the connection is closed with our own answer ([`refusal`]).
//! - In a body, whoever reads the body gets an error with the [`refusal::Refusal`] as its source,
//!   and answers, or aborts what it had begun.
//!
//! Either way nothing that follows is ever read as a request.
//!
//! What follows a request for an upgrade is held back until that is answered. After a 101 it belongs
//! to the other protocol ([`Guard::into_switched`]), otherwise it is the next request.

pub(crate) mod bytes;
mod chunk;
mod head;
pub(crate) mod inspect;
pub(crate) mod refusal;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::pulse::Pulse;
use inspect::{Inspector, Limits};
use refusal::Refusal;

/// Bytes that are read at a time of a head that came in pieces.
const PIECE_BYTES: usize = 2 * 1024;

/// A client's byte stream, as strict as it must be.
#[derive(Debug)]
pub(crate) struct Guard<S> {
    inner: S,
    inspector: Inspector,
    held: Held,
    refusal: Option<Refusal>,
    pulse: Arc<Pulse>,
}

/// Bytes that were read and not handed on: a head that came in pieces, and what came with it.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many of them may pass.
    free: usize,
}

impl Held {
    /// Hands on what may pass, as far as there is room.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.free.min(buf.remaining());
        if let Some(bytes) = self.bytes.get(..count) {
            buf.put_slice(bytes);
        }
        self.free -= count;
        if count == self.bytes.len() {
            self.bytes = Vec::new();
        } else {
            self.bytes.drain(..count);
        }
    }
}

impl<S> Guard<S> {
    /// Guards a stream.
    pub(crate) fn new(inner: S, limits: Limits, pulse: Arc<Pulse>) -> Self {
        Self {
            inner,
            inspector: Inspector::new(limits),
            held: Held::default(),
            refusal: None,
            pulse,
        }
    }

    /// Why the client is no longer read, if it is not.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// What has been seen of the client's bytes.
    pub(crate) fn inspector(&self) -> &Inspector {
        &self.inspector
    }

    /// The stream underneath, if nothing of a request has been read from it that has not been
    /// handed on.
    pub(crate) fn into_idle(self) -> Option<S> {
        (self.refusal.is_none() && self.is_between()).then_some(self.inner)
    }

    /// Whether nothing of a request has been read that was not handed on, nor part of one.
    fn is_between(&self) -> bool {
        let between = !self.inspector.is_mid_head() && !self.inspector.is_mid_body();
        between && self.held.bytes.is_empty()
    }

    /// The stream underneath.
    pub(crate) fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The stream underneath, and what has been read of another protocol, if the last request asked
    /// for an upgrade and has come whole.
    pub(crate) fn into_switched(self) -> Option<(S, Vec<u8>)> {
        let switched = self.refusal.is_none() && self.inspector.waits_for_answer();
        let handed_on = self.held.free == 0;
        (switched && handed_on).then_some((self.inner, self.held.bytes))
    }

    /// The stream underneath.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Looks at the next bytes of the stream. Returns how many of them may pass.
    fn inspect(&mut self, bytes: &[u8]) -> usize {
        let pass = match self.inspector.inspect(bytes) {
            Ok(pass) => pass,
            Err(violation) => {
                self.refusal = Some(violation.refusal);
                self.pulse.refuse();
                violation.pass
            }
        };
        if self.inspector.take_offer() {
            self.pulse.offer();
        }
        let seen = &self.inspector;
        self.pulse
            .arrived(seen.requests(), seen.is_mid_head(), seen.is_mid_body());
        pass
    }

    /// What hyper reads of a client that is no longer read.
    fn poll_refused(&self, refusal: Refusal, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if refusal.in_body {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
        }
        // The end would have hyper drop the handler of a request that came before and is still
        // being answered, and answers that are still being written.
        match self.pulse.is_quiet(cx) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> Guard<S> {
    /// Reads straight into the reader's buffer, and takes back what must not pass. Returns whether
    /// the reader has got something, be it the end of the stream.
    fn poll_direct(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<bool>> {
        let from = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let bytes = buf.filled().get(from..).unwrap_or_default();
        if bytes.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let pass = self.inspect(bytes);
        if self.refusal.is_none() {
            self.held
                .bytes
                .extend_from_slice(bytes.get(pass..).unwrap_or_default());
        }
        buf.set_filled(from + pass);
        Poll::Ready(Ok(pass > 0))
    }

    /// Waits for the answer to an upgrade. What the client sends before it is held back, and read
    /// no further than needed to see whether it leaves. Returns whether the stream has ended.
    fn poll_offer(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.pulse.is_offered_still(cx) {
            if !self.held.bytes.is_empty() {
                return Poll::Pending;
            }
            let mut space = [0; PIECE_BYTES];
            let mut buf = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
            self.held.bytes.extend_from_slice(buf.filled());
            return match buf.filled() {
                [] => Poll::Ready(Ok(true)),
                _ => Poll::Pending,
            };
        }
        self.inspector.go_on();
        let held = std::mem::take(&mut self.held.bytes);
        self.held.free = self.inspect(&held);
        self.held.bytes = held;
        Poll::Ready(Ok(false))
    }

    /// Reads on in a head that came in pieces. Returns whether the stream has ended.
    fn poll_held(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let mut space = [0; PIECE_BYTES];
        let mut buf = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf))?;
        let before = self.held.bytes.len();
        let pass = self.inspect(buf.filled());
        self.held.bytes.extend_from_slice(buf.filled());
        if pass > 0 {
            self.held.free = before + pass;
        }
        Poll::Ready(Ok(buf.filled().is_empty()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.held.free > 0 {
                self.held.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            if let Some(refusal) = self.refusal {
                return self.poll_refused(refusal, cx);
            }
            // Read here, the next request could not be answered where it belongs. Who passes on
            // the connection looks at it whenever this may have changed.
            if self.pulse.is_passing() && self.is_between() {
                return Poll::Pending;
            }
            let done = match self.held.bytes.is_empty() {
                _ if self.inspector.waits_for_answer() => ready!(self.poll_offer(cx))?,
                true => ready!(self.poll_direct(cx, buf))?,
                false => ready!(self.poll_held(cx))?,
            };
            if done {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    /// Does nothing: how the connection closes is decided after hyper is done with it.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
