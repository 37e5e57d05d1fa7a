//! One connection: hyper's state machine in a task of its own, and the switch that closes it.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Builder, SendRequest};
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
    task: Task,
}

impl Conn {
    /// Starts HTTP/1.1 on a connected socket, for one request after which there may be another
    /// protocol, or for many.
    pub(super) async fn start(socket: Socket, switches: bool) -> Result<Box<Self>, Failure> {
        let link = Arc::new(Link::new());
        let stream = Stream::new(socket, Arc::clone(&link));
        let (sender, connection) = handshake(stream).await?;
        let handle = match switches {
            false => tokio::spawn(Running::new(connection, &link)),
            true => tokio::spawn(until_its_end(connection.with_upgrades())),
        };
        Ok(Self::with(sender, link, handle, None, switches))
    }

    /// Gives a request to a new hyper that starts on this stream, before it reads anything.
    pub(super) async fn start_again(
        stream: Stream,
        link: Arc<Link>,
        timer: Timer,
        request: Request<WireBody>,
    ) -> Result<(Box<Self>, impl Future<Output = Sent>), Failure> {
        let (mut sender, connection) = handshake(stream).await?;
        link.passes_on();
        let sent = sender.try_send_request(request);
        let handle = tokio::spawn(Running::new(connection, &link));
        Ok((Self::with(sender, link, handle, timer, false), sent))
    }

    fn with(
        sender: SendRequest<WireBody>,
        link: Arc<Link>,
        handle: JoinHandle<Option<Stream>>,
        timer: Timer,
        switches: bool,
    ) -> Box<Self> {
        let task = Task {
            link: Arc::clone(&link),
            handle: Some(handle),
        };
        Box::new(Self {
            sender,
            link,
            timer,
            idle_since: Instant::now(),
            switches,
            task,
        })
    }

    /// What is left of it once its task has left hyper: the stream, if it is still there.
    pub(super) async fn remains(mut self: Box<Self>) -> (Option<Stream>, Arc<Link>, Timer) {
        let stream = match &mut self.task.handle {
            Some(handle) => handle.await.ok().flatten(),
            None => None,
        };
        self.task.handle = None;
        (stream, Arc::clone(&self.link), self.timer.take())
    }
}

/// What becomes of a request on a connection.
pub(super) type Sent = Result<Response<Incoming>, TrySendError<Request<WireBody>>>;

type Connection = http1::Connection<TokioIo<Stream>, WireBody>;

async fn handshake(stream: Stream) -> Result<(SendRequest<WireBody>, Connection), Failure> {
    Builder::new()
        .max_headers(limits::RESPONSE_HEADERS)
        .max_header_size(limits::RESPONSE_HEAD_BYTES)
        .max_buf_size(limits::RESPONSE_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| words::unreachable(format!("HTTP cannot be started: {error}")))
}

/// The task that drives a connection.
struct Task {
    link: Arc<Link>,
    /// None once it has given the stream back.
    handle: Option<JoinHandle<Option<Stream>>>,
}

impl Drop for Task {
    // Without this a connection whose peer stopped reading would stay open for ever: hyper closes
    // one only between messages (hyperium/hyper#4176).
    fn drop(&mut self) {
        if let Some(handle) = &self.handle {
            self.link.kill();
            handle.abort();
        }
    }
}

/// Drives a connection to its end, or until it is to be left: then the stream is its output.
struct Running {
    connection: Option<Connection>,
    link: Arc<Link>,
}

impl Running {
    fn new(connection: Connection, link: &Arc<Link>) -> Self {
        Self {
            connection: Some(connection),
            link: Arc::clone(link),
        }
    }
}

impl Future for Running {
    type Output = Option<Stream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Stream>> {
        let this = &mut *self;
        if this.link.leaves(cx) {
            let parts = this.connection.take().map(Connection::into_parts);
            // Nothing was heard, so nothing can be in there; if it were, it would not be lost unseen.
            let parts = parts.filter(|parts| parts.read_buf.is_empty());
            return Poll::Ready(parts.map(|parts| parts.io.into_inner()));
        }
        let Some(connection) = &mut this.connection else {
            return Poll::Ready(None);
        };
        let ended = ready!(Pin::new(connection).poll(cx));
        note_end(ended);
        Poll::Ready(None)
    }
}

async fn until_its_end(connection: impl Future<Output = hyper::Result<()>>) -> Option<Stream> {
    note_end(connection.await);
    None
}

fn note_end(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "upstream connection ended");
    }
}
