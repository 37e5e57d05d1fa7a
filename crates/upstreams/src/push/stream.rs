//! The socket under a connection, with notes of what moves.
//!
//! A backend may answer an upload early and close: our next write fails while its answer lies in
//! our receive buffer. So a write that fails because the peer is gone is swallowed, and the read
//! side decides: it yields the answer, or the end of the connection, which then is the write's
//! error and never a clean end.

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
}

impl Stream {
    pub(super) fn new(socket: Socket, link: Arc<Link>) -> Self {
        Self {
            socket,
            link,
            deaf: None,
        }
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
        if self.deaf.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = ready!(Pin::new(&mut self.socket).poll_write(cx, buf));
        Poll::Ready(self.written(result, buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        if self.deaf.is_some() {
            return Poll::Ready(Ok(asked));
        }
        let result = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs));
        Poll::Ready(self.written(result, asked))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.deaf.is_some() {
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
