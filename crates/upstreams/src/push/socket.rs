//! A connected socket: cleartext or TLS.

use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

use super::tls::own::H2;

/// A connected socket.
pub(super) enum Socket {
    /// `http://`
    Plain(TcpStream),
    /// `unix:`
    Unix(UnixStream),
    /// `https://`
    Tls(Box<TlsStream<TcpStream>>),
    /// Of a simulated network.
    #[cfg(feature = "testing")]
    Simulated(Box<dyn crate::testing::Wire>),
}

impl Socket {
    /// Whether the end of the connection, or anything else, lies unread in the socket. Asks the
    /// kernel: the runtime knows only what its last turn saw, and a backend that closes an idle
    /// connection just before we use it again would else cost a request.
    pub(super) fn has_news(&self) -> bool {
        let socket = match self {
            Self::Plain(tcp) => SockRef::from(tcp),
            Self::Unix(unix) => SockRef::from(unix),
            Self::Tls(tls) => SockRef::from(tls.get_ref().0),
            #[cfg(feature = "testing")]
            Self::Simulated(wire) => return wire.has_news(),
        };
        let mut byte = [MaybeUninit::uninit()];
        let peeked = socket.peek(&mut byte);
        !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Whether TLS has agreed on HTTP/2.
    pub(super) fn agreed_on_http2(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.get_ref().1.alpn_protocol() == Some(H2),
            _ => false,
        }
    }

    /// Makes the close that follows a reset.
    pub(super) fn reset_on_close(&self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.set_zero_linger(),
            // A close with unread bytes is a reset here.
            Self::Unix(_) => Ok(()),
            Self::Tls(tls) => tls.get_ref().0.set_zero_linger(),
            #[cfg(feature = "testing")]
            Self::Simulated(wire) => {
                wire.reset_on_close();
                Ok(())
            }
        }
    }
}

/// The same call on whatever the socket is.
macro_rules! on {
    ($socket:expr, $inner:ident => $call:expr) => {
        match $socket {
            Self::Plain($inner) => $call,
            Self::Unix($inner) => $call,
            Self::Tls($inner) => $call,
            #[cfg(feature = "testing")]
            Self::Simulated($inner) => $call,
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        on!(&mut *self, inner => Pin::new(inner).poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        on!(&mut *self, inner => Pin::new(inner).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on!(&mut *self, inner => Pin::new(inner).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        on!(self, inner => inner.is_write_vectored())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(&mut *self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        on!(&mut *self, inner => Pin::new(inner).poll_shutdown(cx))
    }
}
