//! What follows an upstream's response head, within the exchange's total time and size limit.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use raincheck_core::hop;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_upstreams::{AnswerBody, Until};
use tokio::time::Sleep;

/// What follows a response head, within the exchange's total time and the route's size limit. A
/// body that broke a limit goes on giving that failure. Dropping it before its end closes the
/// connection.
pub struct ResponseBody {
    inner: Inner,
    deadline: Option<Deadline>,
    left: Option<u64>,
    max: u64,
    failed: Option<Box<Failure>>,
    guard: Option<Box<dyn Any + Send>>,
}

enum Inner {
    Answer(AnswerBody),
    #[cfg(feature = "testing")]
    Any(Pin<Box<dyn Body<Data = Bytes, Error = Failure> + Send>>),
}

impl ResponseBody {
    /// The body of an answer, with the end of its exchange's time and its largest size.
    pub(crate) fn new(
        answer: AnswerBody,
        until: Option<(Until, Timeouts)>,
        max: Option<u64>,
    ) -> Result<Self, Failure> {
        Self::within(Inner::Answer(answer), until, max)
    }

    /// Any body as if an upstream had sent it.
    ///
    /// # Errors
    /// It says beforehand that it is too large.
    #[cfg(feature = "testing")]
    pub fn of(
        body: impl Body<Data = Bytes, Error = Failure> + Send + 'static,
        until: Option<(Until, Timeouts)>,
        max: Option<u64>,
    ) -> Result<Self, Failure> {
        Self::within(Inner::Any(Box::pin(body)), until, max)
    }

    fn within(
        inner: Inner,
        until: Option<(Until, Timeouts)>,
        max: Option<u64>,
    ) -> Result<Self, Failure> {
        match max {
            Some(max) if inner.size_hint().lower() > max => return Err(too_large(max)),
            _ => {}
        }
        Ok(Self {
            inner,
            deadline: until.map(|(until, timeouts)| Deadline {
                until,
                sleep: None,
                timeouts,
            }),
            left: max,
            max: max.unwrap_or_default(),
            failed: None,
            guard: None,
        })
    }

    /// Keeps `guard` until the body is dropped: a permit, a measurement.
    pub fn attach(&mut self, guard: impl Any + Send) {
        self.guard = Some(Box::new(guard));
    }

    /// The reader kept the backend waiting for this long: that is not the backend's time.
    pub(crate) fn forgive(&mut self, waited: Duration) {
        if let Some(deadline) = &mut self.deadline {
            deadline.until.forgive(waited);
        }
    }

    fn fail(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.failed = Some(Box::new(failure.clone()));
        Poll::Ready(Some(Err(failure)))
    }

    /// A frame that came in time, unless it makes the body larger than allowed. A backend that
    /// never pauses must not outrun the clock either.
    fn check(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        if let Some(trailers) = frame.trailers_mut() {
            hop::strip_trailers(trailers);
        }
        let Some(data) = frame.data_ref() else {
            return Ok(frame);
        };
        if let Some(left) = &mut self.left {
            let rest = left.checked_sub(data.len() as u64);
            *left = rest.ok_or_else(|| too_large(self.max))?;
        }
        match &self.deadline {
            Some(deadline) if !self.inner.is_end_stream() && deadline.until.later().is_none() => {
                Err(too_late(deadline.timeouts, Seen::Answering))
            }
            _ => Ok(frame),
        }
    }
}

/// The exchange did not end in time.
pub(crate) fn too_late(timeouts: Timeouts, seen: Seen) -> Failure {
    let limit = timeouts.total.unwrap_or_default();
    let detail = match timeouts.total_means {
        Cause::Deadline => "the job's deadline passed while the backend was working".to_owned(),
        _ => format!("no complete answer within the route's timeout of {limit:?}"),
    };
    Failure {
        cause: timeouts.total_means,
        seen,
        detail,
    }
}

fn too_large(max: u64) -> Failure {
    Failure {
        cause: Cause::TooLarge,
        seen: Seen::Answering,
        detail: format!("the answer is larger than the route's max_response of {max} bytes"),
    }
}

/// A timer that is only set once there is something to wait for.
struct Deadline {
    until: Until,
    sleep: Option<Pin<Box<Sleep>>>,
    timeouts: Timeouts,
}

impl Deadline {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let until = &self.until;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until.at())));
        // Armed for earlier is fine: it fires, and is armed again for the rest.
        loop {
            ready!(sleep.as_mut().poll(cx));
            match until.later() {
                None => return Poll::Ready(too_late(self.timeouts, Seen::Answering)),
                Some(later) => sleep.as_mut().reset(later),
            }
        }
    }
}

impl Inner {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match self {
            Self::Answer(body) => Pin::new(body).poll_frame(cx),
            #[cfg(feature = "testing")]
            Self::Any(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Answer(body) => body.is_end_stream(),
            #[cfg(feature = "testing")]
            Self::Any(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Answer(body) => body.size_hint(),
            #[cfg(feature = "testing")]
            Self::Any(body) => body.size_hint(),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        if let Some(failure) = &self.failed {
            return Poll::Ready(Some(Err((**failure).clone())));
        }
        match self.inner.poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match self.check(frame) {
                Ok(frame) => Poll::Ready(Some(Ok(frame))),
                Err(failure) => self.fail(failure),
            },
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => match &mut self.deadline {
                Some(deadline) => match deadline.poll(cx) {
                    Poll::Ready(failure) => self.fail(failure),
                    Poll::Pending => Poll::Pending,
                },
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
