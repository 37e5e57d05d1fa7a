//! The accept loop: takes sockets while there is room for them, survives errors, stops cleanly.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::connection;
use crate::drain::Wish;
use crate::server::{Handler, Peer, Shared};

/// The pause after an error that only time can cure: no file descriptors, no memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Numbers the connections of the process.
static CONNECTIONS: AtomicU64 = AtomicU64::new(1);

/// Accepts until the server drains. What had already been queued by the kernel then is still
/// accepted, as its clients believe to be connected.
pub(crate) async fn run<H: Handler>(listener: TcpListener, handler: Arc<H>, shared: Arc<Shared>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = shared.switch.reached(Wish::Drain) => break,
            accepted = next(&listener, &shared) => accepted,
        };
        match accepted {
            Ok((slot, stream, addr)) => spawn(slot, stream, addr, &handler, &shared),
            Err(error) => survive(&error).await,
        }
    }
    drain_backlog(&listener, &handler, &shared).await;
}

/// The next socket, once there is room for it. Cancel safe: a socket is never taken and dropped.
async fn next(
    listener: &TcpListener,
    shared: &Shared,
) -> io::Result<(OwnedSemaphorePermit, TcpStream, SocketAddr)> {
    let slot = Arc::clone(&shared.slots)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, addr) = listener.accept().await?;
    Ok((slot, stream, addr))
}

/// Takes what the kernel has queued, without waiting for more.
async fn drain_backlog<H: Handler>(listener: &TcpListener, handler: &Arc<H>, shared: &Arc<Shared>) {
    while let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() {
        let polled = std::future::poll_fn(|cx| Poll::Ready(listener.poll_accept(cx))).await;
        let Poll::Ready(Ok((stream, addr))) = polled else {
            return;
        };
        spawn(slot, stream, addr, handler, shared);
    }
}

fn spawn<H: Handler>(
    slot: OwnedSemaphorePermit,
    stream: TcpStream,
    addr: SocketAddr,
    handler: &Arc<H>,
    shared: &Arc<Shared>,
) {
    let local = stream.local_addr().unwrap_or(shared.local);
    let peer = Peer::new(addr, local, CONNECTIONS.fetch_add(1, Ordering::Relaxed));
    let handler = Arc::clone(handler);
    let open = Open::new(Arc::clone(shared), slot);
    shared.tasks.spawn(async move {
        connection::serve(stream, handler, peer, &open.shared).await;
        drop(open);
    });
}

/// The place of an open connection, given back also when its task panics.
struct Open {
    shared: Arc<Shared>,
    _slot: OwnedSemaphorePermit,
}

impl Open {
    fn new(shared: Arc<Shared>, slot: OwnedSemaphorePermit) -> Self {
        shared.open.fetch_add(1, Ordering::AcqRel);
        Self {
            shared,
            _slot: slot,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.shared.open.fetch_sub(1, Ordering::AcqRel);
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
