//! The body of a client's request as it arrives, and what becomes of what nobody has read of it.
//!
//! On HTTP/1 the next request stands behind the body. hyper gives up a connection whose body is
//! dropped before its end, also when the head of the answer has left without saying so; a client
//! that keeps its connection then loses its next request. So what is left of a small body is read
//! and dropped by the connection itself ([`Rest`]). HTTP/2 resets the stream and needs none of it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version, header};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use raincheck_core::limits::CLIENT_UNREAD_BODY_BYTES;
use tokio::time::Sleep;

use super::pulse::Pulse;

/// The body of a client's request as it arrives. Dropping it early costs the client its connection
/// only if much of it is left.
pub struct Arriving {
    /// There until it is dropped or has failed.
    incoming: Option<Incoming>,
    ended: bool,
    /// The HTTP/1 connection that it comes on.
    pulse: Option<Arc<Pulse>>,
}

/// What a request means for the end of its connection.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Prospect {
    /// It is HTTP/1, where one request comes after the other.
    pub(super) serial: bool,
    /// Its body is too long to be read for nothing, or does not say how long it is.
    pub(super) long: bool,
    /// Its client wants to be asked for it.
    pub(super) expects: bool,
}

impl Arriving {
    /// The request, with a body whose rest is left to the connection.
    pub(super) fn on(
        pulse: &Arc<Pulse>,
        request: Request<Incoming>,
    ) -> (Request<Arriving>, Prospect) {
        let body = request.body();
        let serial = request.version() < Version::HTTP_2;
        let mut prospect = Prospect {
            serial,
            ..Prospect::default()
        };
        let mut keeper = None;
        if serial && !body.is_end_stream() {
            let length = body.size_hint().exact();
            prospect = Prospect {
                serial,
                long: length.is_none_or(|length| length > CLIENT_UNREAD_BODY_BYTES),
                expects: request.headers().contains_key(header::EXPECT),
            };
            pulse.rest().begin(prospect.expects);
            keeper = Some(Arc::clone(pulse));
        }
        let request = request.map(|incoming| Self {
            incoming: Some(incoming),
            ended: false,
            pulse: keeper,
        });
        (request, prospect)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let (Some(pulse), Some(incoming)) = (&self.pulse, self.incoming.take())
            && !self.ended
            && !incoming.is_end_stream()
        {
            pulse.rest().leave(incoming);
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else {
            return Poll::Ready(None);
        };
        if let Some(pulse) = &this.pulse {
            pulse.rest().ask();
        }
        let polled = Pin::new(incoming).poll_frame(cx);
        this.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let known = self.incoming.as_ref().map(Body::size_hint);
        known.unwrap_or_else(|| SizeHint::with_exact(0))
    }
}

impl std::fmt::Debug for Arriving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arriving")
    }
}

/// What was left unread of the body that one HTTP/1 connection is in. Locked only where something
/// is left, and when the connection's task changes its waker.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    is_left: AtomicBool,
    /// Whether the client waits to be asked for the body.
    unasked: AtomicBool,
    place: Mutex<Place>,
}

#[derive(Debug, Default)]
struct Place {
    left: Option<Left>,
    /// Whether the connection ends with the present answer, so that nothing need be read.
    closes: bool,
    waker: Option<Waker>,
}

#[derive(Debug)]
struct Left {
    incoming: Incoming,
    /// Bytes that may still be dropped.
    allowed: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Rest {
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request with a body begins.
    fn begin(&self, expects: bool) {
        self.unasked.store(expects, Relaxed);
    }

    /// The client is asked for the body, at the latest now.
    fn ask(&self) {
        self.unasked.store(false, Relaxed);
    }

    /// Whether the client waits to be asked for the body.
    pub(super) fn is_unasked(&self) -> bool {
        self.unasked.load(Relaxed)
    }

    /// The task to wake when something is left.
    pub(super) fn wakes(&self, waker: &Waker) {
        self.place().waker = Some(waker.clone());
    }

    /// The connection ends with the present answer.
    pub(super) fn close(&self) {
        let mut place = self.place();
        place.closes = true;
        place.left = None;
    }

    /// Takes over what nobody wants. What is too long, or was never asked for, is dropped: hyper
    /// then closes the connection, and says so if the answer's head has not left.
    fn leave(&self, incoming: Incoming) {
        if incoming.size_hint().lower() > CLIENT_UNREAD_BODY_BYTES || self.is_unasked() {
            return;
        }
        let mut place = self.place();
        if place.closes {
            return;
        }
        place.left = Some(Left {
            incoming,
            allowed: CLIENT_UNREAD_BODY_BYTES,
            timer: None,
        });
        self.is_left.store(true, Relaxed);
        if let Some(waker) = &place.waker {
            waker.wake_by_ref();
        }
    }

    /// Reads and drops what is left. Ready when that came to an end: the body's, that of the bound,
    /// or of the patience. The connection must then be polled again. Pending also when nothing was
    /// left.
    pub(super) fn poll(&self, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if !self.is_left.load(Relaxed) {
            return Poll::Pending;
        }
        let mut place = self.place();
        if let Some(left) = &mut place.left
            && left.poll(patience, cx).is_pending()
        {
            return Poll::Pending;
        }
        place.left = None;
        self.is_left.store(false, Relaxed);
        Poll::Ready(())
    }
}

impl Left {
    fn poll(&mut self, patience: Duration, cx: &mut Context<'_>) -> Poll<()> {
        while let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            let Some(Ok(frame)) = frame else {
                return Poll::Ready(());
            };
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            match self.allowed.checked_sub(bytes) {
                Some(allowed) => self.allowed = allowed,
                None => return Poll::Ready(()),
            }
        }
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        timer.as_mut().poll(cx)
    }
}
