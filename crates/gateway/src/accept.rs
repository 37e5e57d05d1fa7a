//! The accept loop: takes sockets while there is room for them, survives errors, stops cleanly.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::OwnedSemaphorePermit;

use crate::address::Address;
use crate::connection::socket::Wire;
use crate::connection::stream::Raw;
use crate::drain::Wish;
use crate::per_client::{Place, TooMany};
use crate::refusals;
use crate::server::{Handler, Peer, Shared};

/// The pause after an error that only time can cure: no file descriptors, no memory.
const PAUSE: Duration = Duration::from_millis(100);

/// What a connection too many of one client is called in metrics and logs.
pub(crate) const PER_CLIENT: &str = "per_client";

/// Numbers the connections of the process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// Where connections come from: a listening socket, or a simulated one.
pub trait Door: Send + Sync + 'static {
    /// What a connection is.
    type Stream: Wire;

    /// The next connection and the address of its client.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Self::Stream, Address)>>;

    /// A connection that another process has accepted.
    ///
    /// # Errors
    /// It is not one that came through a door of this kind, or its client has gone.
    fn adopt(&self, _socket: OwnedFd) -> io::Result<(Self::Stream, Address)> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Door for TcpListener {
    type Stream = TcpStream;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Address)>> {
        let (stream, addr) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok((stream, Address::Tcp(addr))))
    }

    fn adopt(&self, socket: OwnedFd) -> io::Result<(TcpStream, Address)> {
        adopt_tcp(socket)
    }
}

fn adopt_tcp(socket: OwnedFd) -> io::Result<(TcpStream, Address)> {
    let stream = std::net::TcpStream::from(socket);
    stream.set_nonblocking(true)?;
    let stream = TcpStream::from_std(stream)?;
    let addr = Address::Tcp(stream.peer_addr()?);
    Ok((stream, addr))
}

/// Any socket whose connections are served as what they all have in common.
pub(crate) enum AnySocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door for AnySocket {
    type Stream = Raw;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Raw, Address)>> {
        Poll::Ready(Ok(match self {
            Self::Tcp(listener) => {
                let (stream, addr) = ready!(listener.poll_accept(cx))?;
                (Raw::Tcp(stream), Address::Tcp(addr))
            }
            Self::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(cx))?;
                (Raw::Unix(stream), Address::Unix(None))
            }
        }))
    }

    fn adopt(&self, socket: OwnedFd) -> io::Result<(Raw, Address)> {
        Ok(match self {
            Self::Tcp(_) => {
                let (stream, addr) = adopt_tcp(socket)?;
                (Raw::Tcp(stream), addr)
            }
            Self::Unix(_) => {
                let stream = std::os::unix::net::UnixStream::from(socket);
                stream.set_nonblocking(true)?;
                (
                    Raw::Unix(tokio::net::UnixStream::from_std(stream)?),
                    Address::Unix(None),
                )
            }
        })
    }
}

/// How a connection is served from its first byte to its close.
pub(crate) trait Serve<S, H>: Send + Sync + 'static {
    fn serve(
        stream: S,
        handler: Arc<H>,
        peer: Peer,
        shared: &Shared,
    ) -> impl Future<Output = ()> + Send;
}

/// Accepts until the server drains. What had already been queued by the kernel then is still
/// accepted, as its clients believe to be connected.
pub(crate) async fn run<D: Door, H: Handler, V: Serve<D::Stream, H>>(
    door: D,
    handler: Arc<H>,
    shared: Arc<Shared>,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.switch.reached(Wish::Drain) => break,
            () = shared.inherited.arrived() => {
                adopt::<D, H, V>(&door, &handler, &shared).await;
                continue;
            }
            accepted = next(&door, &shared) => accepted,
        };
        match accepted {
            Ok((slot, stream, addr)) => spawn::<_, _, V>(slot, stream, addr, &handler, &shared),
            Err(error) => survive(&error).await,
        }
    }
    shared.pass_on();
    // Where another process has the same socket, the kernel's queue is for that one.
    if shared.heir.get().is_none() {
        drain_backlog::<D, H, V>(&door, &handler, &shared).await;
    }
    drop(door);
    shared.closed.cancel();
}

/// Serves connections that another process has accepted.
async fn adopt<D: Door, H: Handler, V: Serve<D::Stream, H>>(
    door: &D,
    handler: &Arc<H>,
    shared: &Arc<Shared>,
) {
    while let Some(socket) = shared.inherited.next() {
        let Ok(slot) = Arc::clone(&shared.slots).acquire_owned().await else {
            return;
        };
        match door.adopt(socket) {
            Ok((stream, addr)) => spawn::<_, _, V>(slot, stream, addr, handler, shared),
            Err(error) => tracing::debug!(%error, "an inherited client has gone"),
        }
    }
}

/// The next socket, once there is room for it. Cancel safe: a socket is never taken and dropped.
async fn next<D: Door>(
    door: &D,
    shared: &Shared,
) -> io::Result<(OwnedSemaphorePermit, D::Stream, Address)> {
    let slot = Arc::clone(&shared.slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, addr) = poll_fn(|cx| door.poll_accept(cx)).await?;
    Ok((slot, stream, addr))
}

/// Takes what the kernel has queued, without waiting for more.
async fn drain_backlog<D: Door, H: Handler, V: Serve<D::Stream, H>>(
    door: &D,
    handler: &Arc<H>,
    shared: &Arc<Shared>,
) {
    while let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() {
        let polled = poll_fn(|cx| Poll::Ready(door.poll_accept(cx))).await;
        let Poll::Ready(Ok((stream, addr))) = polled else {
            return;
        };
        spawn::<_, _, V>(slot, stream, addr, handler, shared);
    }
}

fn spawn<S: Wire, H: Handler, V: Serve<S, H>>(
    slot: OwnedSemaphorePermit,
    stream: S,
    addr: Address,
    handler: &Arc<H>,
    shared: &Arc<Shared>,
) {
    let Ok(place) = place(&stream, &addr, shared) else {
        return;
    };
    let local = stream.local().map(Address::Tcp);
    let local = local.unwrap_or_else(|| shared.local.clone());
    let peer = Peer::new(addr, local, CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    let handler = Arc::clone(handler);
    let open = Open::new(Arc::clone(shared), slot, place);
    shared.tasks.spawn(async move {
        V::serve(stream, handler, peer, &open.shared).await;
        drop(open);
    });
}

/// A place for a connection among those of its client. What has none is closed; behind a proxy the
/// client is not known yet.
fn place<S: Wire>(stream: &S, client: &Address, shared: &Shared) -> Result<Option<Place>, TooMany> {
    let (Some(clients), None) = (&shared.front.per_client, &shared.front.proxies) else {
        return Ok(None);
    };
    let place = clients.take(client);
    if place.is_err() {
        shared.front.metrics.refused(PER_CLIENT);
        refusals::say_of_connection(client, PER_CLIENT, None);
        stream.abort();
    }
    place
}

/// The place of an open connection, given back also when its task panics.
struct Open {
    shared: Arc<Shared>,
    _slot: OwnedSemaphorePermit,
    _place: Option<Place>,
}

impl Open {
    fn new(shared: Arc<Shared>, slot: OwnedSemaphorePermit, place: Option<Place>) -> Self {
        shared.open.fetch_add(1, Ordering::AcqRel);
        shared.front.metrics.opened();
        Self {
            shared,
            _slot: slot,
            _place: place,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::AcqRel);
        self.shared.front.metrics.closed();
    }
}

/// A failed accept ends one client's attempt, not the server. Errors of that one connection cost
/// nothing; all others cost a pause, as they would come back at once.
async fn survive(error: &io::Error) {
    let of_one_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    );
    if of_one_client {
        tracing::debug!(%error, "a client left before it was accepted");
    } else {
        tracing::warn!(%error, "cannot accept connections");
        tokio::time::sleep(PAUSE).await;
    }
}
