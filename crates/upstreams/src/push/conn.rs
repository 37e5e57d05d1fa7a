//! One connection: hyper's state machine in a task of its own, and the switch that closes it.

use std::sync::Arc;

use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use raincheck_core::limits;
use raincheck_core::outcome::Failure;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::body::WireBody;
use super::link::Link;
use super::silence::Timer;
use super::socket::Socket;
use super::stream::Stream;
use super::words;

/// A connection. Dropping it closes the socket, whatever is going on; in the middle of an exchange
/// with a reset, so that the backend hears of it, and what it has not read does not wait for it.
pub(super) struct Conn {
    pub(super) sender: SendRequest<WireBody>,
    pub(super) link: Arc<Link>,
    pub(super) timer: Timer,
    /// Since when it lies in the pool.
    pub(super) idle_since: Instant,
    /// Whether it may go on in another protocol. Then it serves one request only.
    pub(super) switches: bool,
    task: JoinHandle<()>,
}

impl Drop for Conn {
    // Without this a connection whose peer stopped reading would stay open for ever: hyper closes
    // one only between messages (hyperium/hyper#4176).
    fn drop(&mut self) {
        self.link.kill();
        self.task.abort();
    }
}

impl Conn {
    /// Starts HTTP/1.1 on a connected socket, for one request after which there may be another
    /// protocol, or for many.
    pub(super) async fn start(socket: Socket, switches: bool) -> Result<Box<Self>, Failure> {
        let link = Arc::new(Link::new());
        let stream = TokioIo::new(Stream::new(socket, Arc::clone(&link)));
        let (sender, connection) = Builder::new()
            .max_headers(limits::RESPONSE_HEADERS)
            .max_header_size(limits::RESPONSE_HEAD_BYTES)
            .max_buf_size(limits::RESPONSE_HEAD_BYTES)
            .handshake(stream)
            .await
            .map_err(|error| words::unreachable(format!("HTTP cannot be started: {error}")))?;
        let task = match switches {
            false => tokio::spawn(until_its_end(connection)),
            true => tokio::spawn(until_its_end(connection.with_upgrades())),
        };
        Ok(Box::new(Self {
            sender,
            link,
            timer: None,
            idle_since: Instant::now(),
            switches,
            task,
        }))
    }
}

async fn until_its_end(connection: impl Future<Output = hyper::Result<()>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "upstream connection ended");
    }
}
