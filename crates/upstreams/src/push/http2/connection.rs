//! One HTTP/2 connection: hyper's tasks, the streams on it, and the limit its peer sets.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};
use raincheck_core::limits;
use raincheck_core::outcome::Failure;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::body::WireBody;
use super::super::socket::Socket;
use super::super::words;

/// How often a silent connection with streams is asked whether its peer is there, and how long
/// that may take. gRPC servers take it for abuse if it is more often than every five minutes.
const PING_INTERVAL: Duration = Duration::from_secs(5 * 60 + 20);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// A connection. Streams go on when the pool has let go of it; it closes after the last.
pub(super) struct Connection {
    sender: SendRequest<WireBody>,
    limit: Arc<AtomicUsize>,
    streams: AtomicUsize,
    opened: Instant,
    /// Milliseconds after `opened` at which the last stream ended.
    idle_since: AtomicU64,
}

impl Connection {
    /// Begins HTTP/2 on a connected socket; ready when the peer's SETTINGS are known. The caller
    /// sets a time.
    pub(super) async fn start(socket: Socket) -> Result<Self, Failure> {
        let no_http2 = |error: &dyn std::fmt::Display| {
            words::unreachable(format!("the backend does not speak HTTP/2: {error}"))
        };
        let tasks = Tasks::default();
        let (sender, mut connection) = Builder::new(tasks.clone())
            .timer(TokioTimer::new())
            // No stream before the SETTINGS, by which its true limit is known.
            .initial_max_send_streams(0)
            .max_header_list_size(u32::try_from(limits::RESPONSE_HEAD_BYTES).unwrap_or(u32::MAX))
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .handshake(TokioIo::new(socket))
            .await
            .map_err(|error| no_http2(&error))?;
        let limit = Arc::new(AtomicUsize::new(0));
        let (known, mut is_known) = watch::channel(false);
        let shared = Arc::clone(&limit);
        tokio::spawn(async move {
            let mut moved = pin!(tasks.moved.notified());
            let ended = poll_fn(|cx| {
                let polled = Pin::new(&mut connection).poll(cx);
                let now = connection.current_max_send_streams();
                shared.store(now, Relaxed);
                if now > 0 && !tasks.known.swap(true, Relaxed) {
                    known.send_replace(true);
                }
                while !tasks.known.load(Relaxed) && moved.as_mut().poll(cx).is_ready() {
                    moved.set(tasks.moved.notified());
                    cx.waker().wake_by_ref();
                }
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "upstream connection ended");
            }
        });
        let known = is_known.wait_for(|known| *known).await;
        known.map_err(|_| no_http2(&"it closed the connection"))?;
        Ok(Self {
            sender,
            limit,
            streams: AtomicUsize::new(0),
            opened: Instant::now(),
            idle_since: AtomicU64::new(0),
        })
    }

    pub(super) fn sender(&self) -> SendRequest<WireBody> {
        self.sender.clone()
    }

    /// Whether it may take more streams at all: its peer has neither closed it nor said goodbye.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(super) fn is_older(&self, max_age: Option<Duration>, now: Instant) -> bool {
        max_age.is_some_and(|max_age| now.saturating_duration_since(self.opened) >= max_age)
    }

    pub(super) fn is_idle(&self, now: Instant, idle_timeout: Duration) -> bool {
        let since = self.opened + Duration::from_millis(self.idle_since.load(Relaxed));
        self.streams() == 0 && now.saturating_duration_since(since) >= idle_timeout
    }

    pub(super) fn streams(&self) -> usize {
        self.streams.load(Relaxed)
    }

    /// Takes a place for a stream, if there is one. Called with the pool locked.
    pub(super) fn take(&self) -> bool {
        let free = self.streams() < self.limit.load(Relaxed);
        if free {
            self.streams.fetch_add(1, Relaxed);
        }
        free
    }

    pub(super) fn give(&self) {
        let millis = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_since.store(millis, Relaxed);
        self.streams.fetch_sub(1, Relaxed);
    }
}

/// Runs hyper's tasks. Until the limit is known, whoever watches it looks after each of their turns.
#[derive(Clone, Default)]
struct Tasks {
    moved: Arc<Notify>,
    known: Arc<AtomicBool>,
}

impl<F> hyper::rt::Executor<F> for Tasks
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        let watched = self.clone();
        tokio::spawn(async move {
            let mut task = pin!(task);
            poll_fn(|cx| {
                let polled = task.as_mut().poll(cx);
                if !watched.known.load(Relaxed) {
                    watched.moved.notify_one();
                }
                polled
            })
            .await
        });
    }
}
