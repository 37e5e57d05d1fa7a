//! A server of HTTP/1.1 and cleartext HTTP/2 for any handler: what the public and the admin
//! listener both are.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use hyper::body::Incoming;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use raincheck_core::limits;
use raincheck_core::problem::ProblemCode;

use crate::accept::{self, Door};
use crate::drain::Switch;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a peer may say nothing at all, not even to TCP, before the kernel asks whether it is
/// still there. It is what finds a client that vanished during an hour-long wait.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Bytes that the kernel holds for a client beyond what is on the wire. Without this a slow reader
/// fills a send buffer of megabytes, and the kernel reports progress only by the third of it, so
/// that an honest 20 KB/s would look like a client that takes nothing for a minute.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 256 * 1024;

/// Answers requests. One value serves all connections of a server.
pub trait Handler: Send + Sync + 'static {
    /// The body of its answers.
    type Body: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;

    /// Answers one request. `Err(Abort)` ends it without an answer: an HTTP/1 connection is closed,
    /// an HTTP/2 stream reset.
    ///
    /// The future is dropped when the connection ends first, which is a hint that the client is
    /// gone and never proof of it: work that must outlive the client belongs to somebody else.
    fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> impl Future<Output = Result<Response<Self::Body>, Abort>> + Send;

    /// A request was refused before it could be handled; to be counted.
    fn refused(&self, problem: ProblemCode) {
        _ = problem;
    }
}

/// End the exchange with the client without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request ends without an answer")]
pub struct Abort;

/// Whom a request came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the connection.
    pub addr: SocketAddr,
    /// Our end of the connection.
    pub local: SocketAddr,
    /// Which connection, counted from the start of the process.
    pub connection: u64,
    /// The client's address as text, written once per connection and not once per request.
    pub(crate) client: HeaderValue,
}

impl Peer {
    /// The peer of one connection.
    pub fn new(addr: SocketAddr, local: SocketAddr, connection: u64) -> Self {
        let client = Bytes::from(addr.ip().to_canonical().to_string());
        let unknown = |_| HeaderValue::from_static("unknown");
        Self {
            addr,
            local,
            connection,
            client: HeaderValue::from_maybe_shared(client).unwrap_or_else(unknown),
        }
    }
}

/// Bounds of a server. The defaults are those of [`raincheck_core::limits`]. How long a client may
/// fall silent within a body is up to whoever reads the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// How long a client may take to send a request head, from its first byte, or from the start
    /// of the connection.
    pub head_timeout: Duration,
    /// How long a client may take nothing while we have response bytes for it.
    pub write_idle_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub keep_alive_timeout: Duration,
    /// How long we read and drop what a client still sends after we have refused it, so that it
    /// gets to see why.
    pub linger_timeout: Duration,
    /// Open connections; further ones wait in the listen backlog.
    pub connections_max: usize,
    /// Bytes of a request line and header section.
    pub head_bytes_max: usize,
    /// Bytes of a request target.
    pub target_bytes_max: usize,
    /// Fields in one header section.
    pub headers_max: usize,
    /// Concurrent streams of one HTTP/2 connection.
    pub h2_streams_max: u32,
    /// How often an HTTP/2 client is asked whether it is still there.
    pub h2_ping_interval: Duration,
    /// How long it may take to say so.
    pub h2_ping_timeout: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            head_timeout: limits::CLIENT_HEAD_TIMEOUT,
            write_idle_timeout: limits::CLIENT_WRITE_IDLE_TIMEOUT,
            keep_alive_timeout: limits::CLIENT_KEEP_ALIVE_TIMEOUT,
            linger_timeout: Duration::from_secs(5),
            connections_max: limits::CONNECTIONS,
            head_bytes_max: limits::REQUEST_HEAD_BYTES,
            target_bytes_max: limits::REQUEST_TARGET_BYTES,
            headers_max: limits::REQUEST_HEADERS,
            h2_streams_max: limits::H2_STREAMS,
            h2_ping_interval: Duration::from_secs(30),
            h2_ping_timeout: Duration::from_secs(30),
        }
    }
}

/// Binds and starts servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Opens a port, with a backlog that does not drop a burst of clients. Nothing is accepted
    /// before [`Server::start`].
    ///
    /// # Errors
    /// The address is in use, not ours, or not allowed.
    pub fn bind(addr: SocketAddr) -> io::Result<Bound> {
        let socket = Socket::new(
            Domain::for_address(addr),
            Type::STREAM.nonblocking().cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        // Accepted sockets inherit these, which saves a system call each.
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(TCP_KEEPALIVE)
            .with_interval(TCP_KEEPALIVE / 4);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
        socket.bind(&addr.into())?;
        socket.listen(limits::LISTEN_BACKLOG)?;
        Bound::from_listener(socket.into())
    }

    /// Serves a bound port until the handle is drained. Must be called inside a runtime.
    ///
    /// # Errors
    /// The runtime cannot register the socket.
    pub fn start<H: Handler>(
        bound: Bound,
        handler: Arc<H>,
        options: ServerOptions,
    ) -> io::Result<ServerHandle> {
        let listener = tokio::net::TcpListener::from_std(bound.listener)?;
        Ok(Self::serve(listener, bound.local, handler, options))
    }

    /// Serves the connections that come through `door`; `local` is where they believe to be.
    pub(crate) fn serve<D: Door, H: Handler>(
        door: D,
        local: SocketAddr,
        handler: Arc<H>,
        options: ServerOptions,
    ) -> ServerHandle {
        let shared = Arc::new(Shared::new(options, local));
        let accepting = accept::run(door, handler, Arc::clone(&shared));
        shared.tasks.spawn(accepting);
        ServerHandle { shared }
    }
}

/// An open port that nobody serves yet.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    local: SocketAddr,
}

impl Bound {
    /// Takes over a socket that already listens.
    ///
    /// # Errors
    /// It is not a listening socket.
    pub fn from_listener(listener: TcpListener) -> io::Result<Self> {
        let local = listener.local_addr()?;
        SockRef::from(&listener).set_nonblocking(true)?;
        Ok(Self { listener, local })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }
}

/// What the accept loop and all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: ServerOptions,
    pub(crate) local: SocketAddr,
    pub(crate) switch: Switch,
    pub(crate) tasks: TaskTracker,
    pub(crate) slots: Arc<Semaphore>,
    /// Connections that are open.
    pub(crate) open: AtomicUsize,
    /// Connections closed with a request in flight because the grace period ended.
    pub(crate) cut: AtomicU64,
    /// Connections that ended by themselves after draining began.
    pub(crate) ended: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: ServerOptions, local: SocketAddr) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(options.connections_max)),
            options,
            local,
            switch: Switch::default(),
            tasks: TaskTracker::new(),
            open: AtomicUsize::new(0),
            cut: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }
}

/// What came of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Connections that ended in time.
    pub finished: u64,
    /// Connections that were closed with a request in flight.
    pub cut: u64,
}

/// A running server. Dropping the handle does not stop it.
#[derive(Clone)]
pub struct ServerHandle {
    shared: Arc<Shared>,
}

impl ServerHandle {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.local
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Acquire)
    }

    /// Stops accepting and lets requests in flight finish: HTTP/1 answers say `Connection: close`,
    /// HTTP/2 connections get a GOAWAY, idle connections close at once. What is left after `grace`
    /// is closed.
    ///
    /// Cancel safe: a dropped call leaves the server draining, and a second call waits again.
    pub async fn drain(&self, grace: Duration) -> DrainReport {
        let shared = &self.shared;
        shared.switch.drain();
        shared.tasks.close();
        if tokio::time::timeout(grace, shared.tasks.wait())
            .await
            .is_err()
        {
            shared.switch.cut();
            shared.tasks.wait().await;
        }
        DrainReport {
            finished: shared.ended.load(Ordering::Acquire),
            cut: shared.cut.load(Ordering::Acquire),
        }
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle")
            .field("local", &self.shared.local)
            .field("connections", &self.connections())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn accepted_sockets_inherit_what_the_listener_was_told() {
        let bound = Server::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let _client = TcpStream::connect(bound.local_addr()).unwrap();
        let accepted = loop {
            match bound.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }

    #[test]
    fn a_port_in_use_is_an_error_and_one_just_left_is_not() {
        let bound = Server::bind(([127, 0, 0, 1], 0).into()).unwrap();
        assert!(Server::bind(bound.local_addr()).is_err());
        // What allows a restart while old connections still linger.
        assert!(SockRef::from(&bound.listener).reuse_address().unwrap());
    }
}
