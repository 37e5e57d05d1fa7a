//! HTTP/2 streams whose client takes nothing are ended one by one.
//!
//! Each stream has a window of its own, so that a client can stop taking one answer while its
//! socket stays busy; what the answer holds (an upstream connection, a permit) would be held for
//! ever. Who owes whom is seen at the body: once it has given a piece and is not asked for another,
//! the client owes; while it has none to give, we do.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::rt::Executor;
use tokio::task::{Id, try_id};
use tokio::time::Sleep;

/// Runs the streams of one connection.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    patience: Duration,
    /// The stream whose request was just given to the handler: the task that did so hands us the
    /// stream's next. Streams that go on in another protocol hand us one of their own.
    begun: Arc<Mutex<Option<Begun>>>,
}

/// A stream that has no task yet, and the task that will make it.
type Begun = (Option<Id>, Arc<Pace>);

/// How the answer of one stream gets on.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// How often a piece was asked for.
    asked: AtomicU64,
    /// Whether a piece was given and none was asked for since.
    given: AtomicBool,
}

impl Streams {
    /// Streams that end when their client takes nothing for so long.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            begun: Arc::default(),
        }
    }

    /// Begins a stream. Its task must be the next one that is executed.
    pub(super) fn begin(&self) -> Arc<Pace> {
        let pace = Arc::<Pace>::default();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        *begun = Some((try_id(), Arc::clone(&pace)));
        pace
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, task: F) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = begun.take_if(|(by, _)| *by == try_id());
        tokio::spawn(Paced {
            task,
            pace: begun.map(|(_, pace)| pace).unwrap_or_default(),
            patience: self.patience,
            seen: 0,
            timer: None,
        });
    }
}

pin_project_lite::pin_project! {
    /// The task of a stream. Ending it before its end resets the stream.
    struct Paced<F> {
        #[pin]
        task: F,
        pace: Arc<Pace>,
        patience: Duration,
        // What the client had asked for when the timer was set.
        seen: u64,
        // There is none until a client first owes us something: most answers fit its window.
        timer: Option<Pin<Box<Sleep>>>,
    }
}

impl<F: Future<Output = ()>> Future for Paced<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.task.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        if !this.pace.given.load(Relaxed) {
            *this.timer = None;
            return Poll::Pending;
        }
        let asked = this.pace.asked.load(Relaxed);
        if *this.seen != asked {
            *this.seen = asked;
            *this.timer = None;
        }
        let patience = *this.patience;
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        tracing::debug!("an HTTP/2 stream was reset: its client takes nothing");
        Poll::Ready(())
    }
}

pin_project_lite::pin_project! {
    /// The body of an answer on a stream.
    pub(super) struct PacedBody<B> {
        #[pin]
        body: B,
        pace: Arc<Pace>,
    }
}

impl<B> PacedBody<B> {
    pub(super) fn new(body: B, pace: Arc<Pace>) -> Self {
        Self { body, pace }
    }
}

impl<B: Body<Data = Bytes>> Body for PacedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = this.body.poll_frame(cx);
        this.pace.asked.fetch_add(1, Relaxed);
        this.pace.given.store(frame.is_ready(), Relaxed);
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
