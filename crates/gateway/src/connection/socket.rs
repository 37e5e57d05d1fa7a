//! A client's socket: gives back the bytes that were read to tell the protocol, and notes how
//! writing goes.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;
use super::sniff::Sniffed;

/// What a server can speak HTTP over.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Our end's address, where there is one of its own.
    fn local(&self) -> Option<SocketAddr> {
        None
    }

    /// Whether a client must be told that the end of the stream is meant as one.
    fn says_goodbye(&self) -> bool {
        false
    }

    /// Makes the close that follows look like a failure to the client, also where the end of a
    /// body is told by nothing but the end of the connection.
    fn abort(&self);

    /// The socket itself, to be served by another process; none where there is more to a connection
    /// than its socket.
    fn give(self) -> Option<OwnedFd>
    where
        Self: Sized,
    {
        None
    }
}

impl Wire for TcpStream {
    fn local(&self) -> Option<SocketAddr> {
        self.local_addr().ok()
    }

    fn abort(&self) {
        // Failing only means that the close is an ordinary one.
        let _ = self.set_zero_linger();
    }

    fn give(self) -> Option<OwnedFd> {
        self.into_std().ok().map(Into::into)
    }
}

/// A client's socket.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    inner: S,
    first: Sniffed,
    pulse: Arc<Pulse>,
}

impl<S: Wire> Socket<S> {
    /// Wraps a socket of which some bytes have been read already.
    pub(crate) fn new(inner: S, first: Sniffed, pulse: Arc<Pulse>) -> Self {
        Self {
            inner,
            first,
            pulse,
        }
    }

    /// See [`Wire::give`]; none also while bytes wait that were read already.
    pub(crate) fn give(self) -> Option<OwnedFd> {
        self.first.is_empty().then(|| self.inner.give()).flatten()
    }

    /// See [`Wire::says_goodbye`].
    pub(crate) fn says_goodbye(&self) -> bool {
        self.inner.says_goodbye()
    }

    /// See [`Wire::abort`].
    pub(crate) fn abort(&self) {
        self.inner.abort();
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(Ok(count)) => self.pulse.wrote(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.pulse.write_blocked(),
        }
    }
}

impl<S: Wire> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buf);
        }
        self.first.give_back(buf);
        if buf.remaining() > 0 {
            // The rest has usually arrived as well. An end or an error is seen by the next read.
            let _ = Pin::new(&mut self.inner).poll_read(cx, buf)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Wire> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
