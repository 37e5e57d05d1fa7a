//! The socket under a connection, with notes of what moves.
//!
//! A backend may answer an upload early and close: our next write fails while its answer lies in
//! our receive buffer. So a write that fails because the peer is gone is swallowed, and the read
//! side decides: it yields the answer, or the end of the connection, which then is the write's
//! error and never a clean end.
//!
//! A long wait is spent without hyper (`parked`). Another hyper then has to be told what it waits
//! for: it writes the request once more, which goes nowhere, and reads the answer.

use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::link::Link;
use super::socket::Socket;

/// The socket and the notes about it.
pub(super) struct Stream {
    socket: Socket,
    link: Arc<Link>,
    /// Why the peer takes no more bytes.
    deaf: Option<ErrorKind>,
    /// There while a request that has been sent before is given to another hyper.
    again: Option<Box<Again>>,
}

/// A request that the peer has, once more.
struct Again {
    /// Whether the request has been written, to nobody.
    written: bool,
    /// What came of its answer.
    news: io::Result<Vec<u8>>,
}

impl Stream {
    pub(super) fn new(socket: Socket, link: Arc<Link>) -> Self {
        Self {
            socket,
            link,
            deaf: None,
            again: None,
        }
    }

    /// The next request is one that the peer has: it is written to nobody, and then its answer is
    /// read, which begins with this.
    pub(super) fn repeats(&mut self, news: io::Result<Vec<u8>>) {
        self.again = Some(Box::new(Again {
            written: false,
            news,
        }));
    }

    /// What has come of the answer; none where that is for the socket to say.
    fn take_news(&mut self, buf: &mut ReadBuf<'_>) -> Option<io::Result<()>> {
        let again = self.again.as_mut()?;
        let bytes = match &mut again.news {
            Ok(bytes) => bytes,
            Err(error) => {
                let kind = error.kind();
                return Some(Err(std::mem::replace(error, kind.into())));
            }
        };
        let count = bytes.len().min(buf.remaining());
        buf.put_slice(bytes.get(..count).unwrap_or_default());
        bytes.drain(..count);
        let is_over = bytes.is_empty();
        if is_over {
            self.again = None;
        }
        (count > 0 || !is_over).then_some(Ok(()))
    }

    /// The result of a write of `asked` bytes: noted, or swallowed when the peer is gone.
    fn written(&mut self, result: io::Result<usize>, asked: usize) -> io::Result<usize> {
        match result {
            Ok(bytes) => {
                self.link.note_written();
                Ok(bytes)
            }
            Err(error) => self.swallow(error).map(|()| asked),
        }
    }

    /// Whether nothing that is written goes anywhere.
    fn is_mute(&self) -> bool {
        self.deaf.is_some() || self.again.is_some()
    }

    fn blocked<T>(&self) -> Poll<T> {
        self.link.note_blocked();
        Poll::Pending
    }

    fn swallow(&mut self, error: io::Error) -> io::Result<()> {
        let gone = matches!(
            error.kind(),
            ErrorKind::BrokenPipe
                | ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::NotConnected
        );
        if !gone {
            return Err(error);
        }
        self.deaf = Some(error.kind());
        self.link.goes_deaf();
        Ok(())
    }
}

impl Drop for Stream {
    // A plain close would leave bytes that the backend does not take in the kernel for minutes, and
    // to many backends it looks like a client that will still read the answer.
    fn drop(&mut self) {
        if self.link.is_killed()
            && let Err(error) = self.socket.reset_on_close()
        {
            tracing::debug!(%error, "a connection is closed without a reset");
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(again) = &self.again {
            if !again.written {
                // Woken by the flush.
                return Poll::Pending;
            }
            if let Some(news) = self.take_news(buf) {
                return Poll::Ready(news);
            }
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        if polled.is_pending() && self.link.take_doubt() && self.socket.has_news() {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        ready!(polled)?;
        if buf.filled().len() > before {
            self.link.note_read();
        } else if let Some(kind) = self.deaf {
            // The write took the socket's error; without it this end would look clean.
            return Poll::Ready(Err(kind.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_mute() {
            return Poll::Ready(Ok(buf.len()));
        }
        match Pin::new(&mut self.socket).poll_write(cx, buf) {
            Poll::Ready(result) => Poll::Ready(self.written(result, buf.len())),
            Poll::Pending => self.blocked(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_mute() {
            return Poll::Ready(Ok(asked));
        }
        match Pin::new(&mut self.socket).poll_write_vectored(cx, bufs) {
            Poll::Ready(result) => Poll::Ready(self.written(result, asked)),
            Poll::Pending => self.blocked(),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf.is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Some(again) = &mut self.again {
            if !std::mem::replace(&mut again.written, true) {
                cx.waker().wake_by_ref();
            }
            return Poll::Ready(Ok(()));
        }
        let result = ready!(Pin::new(&mut self.socket).poll_flush(cx));
        if result.is_ok() {
            self.link.note_flushed();
        }
        Poll::Ready(result.or_else(|error| self.swallow(error)))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
