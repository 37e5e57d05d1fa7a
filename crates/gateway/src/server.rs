//! A server of HTTP/1.1 and HTTP/2 for any handler: what the public and the admin listener both
//! are.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use raincheck_core::limits;
use raincheck_core::problem::ProblemCode;

use raincheck_telemetry::ListenerMetrics;

use crate::accept::{self, AnySocket, Door, Serve};
pub use crate::address::Address;
pub use crate::connection::arriving::Arriving;
use crate::connection::{Fronted, Plain};
use crate::drain::{Switch, Wish};
pub use crate::heir::Heir;
use crate::heir::Inherited;
pub use crate::listener::Bound;
pub use crate::peer::Peer;
use crate::per_client::PerClient;
use crate::tls::Tls;
use crate::trusted::Trusted;

/// Any error of a body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
        request: Request<Arriving>,
        peer: Arc<Peer>,
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

/// Bounds of a server. The defaults are those of [`raincheck_core::limits`]. How long a client may
/// fall silent within a body is up to whoever reads the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// How long a client may take to send a request head, from its first byte, or from the start
    /// of the connection.
    pub head_timeout: Duration,
    /// How long a client may take for what comes before HTTP: TLS, the PROXY protocol.
    pub handshake_timeout: Duration,
    /// How long a client may take nothing while we have response bytes for it.
    pub write_idle_timeout: Duration,
    /// How long a connection may stay open between two requests.
    pub keep_alive_timeout: Duration,
    /// How long a connection between two requests is kept for a last one once the server drains,
    /// unless another process takes it: a client may have sent that request already.
    pub last_request_wait: Duration,
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
            handshake_timeout: limits::CLIENT_HANDSHAKE_TIMEOUT,
            write_idle_timeout: limits::CLIENT_WRITE_IDLE_TIMEOUT,
            keep_alive_timeout: limits::CLIENT_KEEP_ALIVE_TIMEOUT,
            last_request_wait: limits::CLIENT_LAST_REQUEST_WAIT,
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

/// What stands between a socket and HTTP.
#[derive(Debug, Clone, Default)]
pub struct Front {
    /// What is counted of the connections.
    pub metrics: ListenerMetrics,
    /// TLS; none: plain text.
    pub tls: Option<Arc<Tls>>,
    /// Whose PROXY protocol headers are believed. They must send one, and nobody else may connect.
    /// None: nobody sends one.
    pub proxies: Option<Trusted>,
    /// How many connections one client may have; none: as many as it likes.
    pub per_client: Option<Arc<PerClient>>,
}

impl Front {
    /// Whether HTTP begins with the first byte.
    fn is_open(&self) -> bool {
        self.tls.is_none() && self.proxies.is_none()
    }
}

/// Starts servers.
#[derive(Debug)]
pub struct Server;

impl Server {
    /// Serves an open socket until the handle is drained, in plain text and uncounted. Must be
    /// called inside a runtime.
    ///
    /// # Errors
    /// The runtime cannot register the socket.
    pub fn start<H: Handler>(
        bound: Bound,
        handler: Arc<H>,
        options: ServerOptions,
    ) -> io::Result<ServerHandle> {
        Self::start_behind(bound, Front::default(), handler, options)
    }

    /// The same, with something in front of HTTP.
    ///
    /// # Errors
    /// The runtime cannot register the socket.
    pub fn start_behind<H: Handler>(
        bound: Bound,
        front: Front,
        handler: Arc<H>,
        options: ServerOptions,
    ) -> io::Result<ServerHandle> {
        let local = bound.address().clone();
        let open = front.is_open();
        let shared = Arc::new(Shared::new(options, local, front));
        Ok(match bound.listen()? {
            // Plain TCP is served as what it is: what all others need costs it nothing.
            AnySocket::Tcp(listener) if open => {
                Self::serve::<_, _, Plain>(listener, handler, shared)
            }
            listener => Self::serve::<_, _, Fronted>(listener, handler, shared),
        })
    }

    /// Serves the connections that come through `door`.
    pub(crate) fn serve<D: Door, H: Handler, V: Serve<D::Stream, H>>(
        door: D,
        handler: Arc<H>,
        shared: Arc<Shared>,
    ) -> ServerHandle {
        let accepting = accept::run::<D, H, V>(door, handler, Arc::clone(&shared));
        shared.tasks.spawn(accepting);
        ServerHandle { shared }
    }
}

/// What the accept loop and all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: ServerOptions,
    pub(crate) local: Address,
    pub(crate) front: Front,
    pub(crate) switch: Switch,
    /// Who serves from now on, where that is another process.
    pub(crate) heir: OnceLock<Heir>,
    /// Connections from a process that served before.
    pub(crate) inherited: Inherited,
    pub(crate) tasks: TaskTracker,
    /// Nothing is accepted any more, and the socket is closed here.
    pub(crate) closed: CancellationToken,
    pub(crate) slots: Arc<Semaphore>,
    /// Connections that are open.
    pub(crate) open: AtomicUsize,
    /// Connections closed with a request in flight because the grace period ended.
    pub(crate) cut: AtomicU64,
    /// Connections that ended by themselves after draining began.
    pub(crate) ended: AtomicU64,
}

impl Shared {
    pub(crate) fn new(options: ServerOptions, local: Address, front: Front) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(options.connections_max)),
            options,
            local,
            front,
            switch: Switch::default(),
            heir: OnceLock::new(),
            inherited: Inherited::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            open: AtomicUsize::new(0),
            cut: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Gives on what came from a process before, once this one takes nothing any more.
    pub(crate) fn pass_on(&self) {
        while let Some(socket) = self.inherited.next() {
            if let Some(heir) = self.heir.get() {
                heir.take(socket);
            }
        }
    }

    /// How long a connection between two requests is kept once the server drains: no longer than
    /// now where another process takes it.
    pub(crate) fn last_wait(&self, can_give: bool) -> Duration {
        match self.heir.get() {
            Some(_) if can_give => Duration::ZERO,
            _ => self.options.last_request_wait,
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
    pub fn address(&self) -> &Address {
        &self.shared.local
    }

    /// Whether clients speak TLS.
    pub fn is_secure(&self) -> bool {
        self.shared.front.tls.is_some()
    }

    /// Connections that are open now.
    pub fn connections(&self) -> usize {
        self.shared.open.load(Ordering::Acquire)
    }

    /// Stops accepting, but leaves what the kernel has queued to another process that has the same
    /// socket. Connections between two requests go to `heir` as they are; all others finish as in
    /// [`ServerHandle::drain`], which is to be called next.
    pub fn hand_over(&self, heir: Heir) {
        // A second heir would get nothing: the first one has it.
        _ = self.shared.heir.set(heir);
        self.shared.switch.drain();
    }

    /// Serves a connection that another process has accepted from the same socket.
    ///
    /// Where a third process has taken over meanwhile, the connection goes on to that one.
    pub fn inherit(&self, socket: OwnedFd) {
        self.shared.inherited.give(socket);
        if self.shared.switch.wish() >= Wish::Drain {
            self.shared.pass_on();
        }
    }

    /// Waits until a server that drains accepts nothing any more and has closed its socket. Cancel
    /// safe.
    pub async fn closed(&self) {
        self.shared.closed.cancelled().await;
    }

    /// Stops accepting and lets requests in flight finish: HTTP/1 answers say `Connection: close`,
    /// HTTP/2 connections get a GOAWAY, idle HTTP/1 connections may bring one more request for a
    /// moment. What is left after `grace` is closed.
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
