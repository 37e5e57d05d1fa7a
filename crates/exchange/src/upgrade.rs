//! A connection that goes on in another protocol after `101 Switching Protocols`.
//!
//! **For whoever answers an upgrade.** A request whose client would go on in another protocol has
//! an [`Asked`] among its extensions, be it HTTP/1.1 with `Upgrade` or an extended CONNECT of
//! HTTP/2 (RFC 8441), which arrives here as the `GET` that it would have been. Answer it like any
//! other request, or with [`switch`]: the server then sends the 101 (on HTTP/2 a 200) with the
//! fields that were added to it, and runs the future on the connection's own bytes. Bytes that the
//! client sent too early have been kept back for it. The connection counts as open until the
//! future ends, and is closed then; whoever wants the end to look orderly calls `shutdown` on
//! [`Upgraded`]. Watch [`Upgraded::leaving`]: after it there are only the seconds of the grace
//! period before the future is dropped.
//!
//! ```
//! use http::header::{HeaderValue, SEC_WEBSOCKET_ACCEPT};
//! use http::{Request, Response};
//! use raincheck_exchange::Payload;
//! use raincheck_exchange::upgrade::{Asked, Upgraded, switch};
//! use tokio::io::AsyncWriteExt;
//!
//! fn answer<B>(request: &Request<B>, accept: HeaderValue) -> Option<Response<Payload>> {
//!     let asked = request.extensions().get::<Asked>()?;
//!     if !asked.names("websocket") {
//!         return None;
//!     }
//!     let mut response = switch("websocket", talk);
//!     response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
//!     Some(response)
//! }
//!
//! async fn talk(mut client: Upgraded) {
//!     _ = client.shutdown().await;
//! }
//!
//! assert!(answer(&Request::new(()), HeaderValue::from_static("")).is_none());
//! ```

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use raincheck_core::upgrade;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::CancellationToken;

use crate::Payload;

/// Bytes both ways.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// Says that a 101 is possible: what the client would go on with. Put among the extensions of a
/// request by the server.
#[derive(Debug, Clone)]
pub struct Asked {
    protocols: HeaderValue,
}

impl Asked {
    /// The client offers these protocols, separated by commas.
    pub fn new(protocols: HeaderValue) -> Self {
        Self { protocols }
    }

    /// The protocols as an `Upgrade` field names them.
    pub fn protocols(&self) -> &HeaderValue {
        &self.protocols
    }

    /// Whether this protocol is among them.
    pub fn names(&self, protocol: &str) -> bool {
        upgrade::names(&self.protocols, protocol)
    }
}

/// The client's bytes after the answer: what it sends, and what it gets.
pub struct Upgraded {
    io: Box<dyn Duplex>,
    leaving: CancellationToken,
}

impl Upgraded {
    /// Bytes of a client of a server that says when it stops.
    pub fn new(io: impl Duplex + 'static, leaving: CancellationToken) -> Self {
        Self {
            io: Box::new(io),
            leaving,
        }
    }

    /// Resolves when the server begins to stop, or hands its work to another process. Cancel safe.
    pub fn leaving(&self) -> impl Future<Output = ()> + Send + 'static {
        self.leaving.clone().cancelled_owned()
    }
}

type Run = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// What takes over a connection; among the extensions of an answer.
#[derive(Clone)]
pub struct Takeover(Arc<Mutex<Option<Run>>>);

impl Takeover {
    /// Runs on a client's bytes. Only the first call does anything.
    pub async fn run(self, io: Upgraded) {
        let run = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(run) = run {
            run(io).await;
        }
    }
}

/// The answer `101` to a request with an [`Asked`] that names this protocol, and what happens on
/// the connection after it. The future is dropped when the server's grace period ends, and never
/// made if the client leaves before it has the answer.
pub fn switch<F>(
    protocol: &str,
    run: impl FnOnce(Upgraded) -> F + Send + 'static,
) -> Response<Payload>
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    take_over(&mut response, protocol, run);
    response
}

/// Makes a `101` of somebody else one that [`switch`] gives.
pub fn take_over<F>(
    response: &mut Response<Payload>,
    protocol: &str,
    run: impl FnOnce(Upgraded) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(protocol) = HeaderValue::from_str(protocol) {
        headers.insert(UPGRADE, protocol);
    }
    let run: Run = Box::new(move |io| Box::pin(run(io)));
    let takeover = Takeover(Arc::new(Mutex::new(Some(run))));
    response.extensions_mut().insert(takeover);
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Takeover").finish_non_exhaustive()
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.io).poll_shutdown(cx)
    }
}
