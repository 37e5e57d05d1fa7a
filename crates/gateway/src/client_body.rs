//! A client's request body as it comes: bounded in bytes, and in the silence it may keep.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use raincheck_core::hop;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_upstreams::{BoxError, ClientTime};
use tokio::time::{Instant, Sleep};

use crate::connection::arriving::Arriving;
use crate::guard::refusal::Refusal;

/// Why a client's body could not be read to its end, for whoever has to answer it: the error that
/// passes through the upstream connection does not come back.
pub(crate) type Blame = Arc<OnceLock<Problem>>;

/// A request body on its way in.
pub(crate) struct ClientBody {
    inner: Arriving,
    left: u64,
    limit: u64,
    idle: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    blame: Blame,
    time: Option<ClientTime>,
}

impl ClientBody {
    pub(crate) fn new(inner: Arriving, limit: u64, idle: Duration, blame: Blame) -> Self {
        Self {
            inner,
            left: limit,
            limit,
            idle,
            sleep: None,
            waiting: false,
            blame,
            time: None,
        }
    }

    /// Tells from now on for how long it has waited for the client.
    pub(crate) fn time(&mut self) -> ClientTime {
        self.time.get_or_insert_with(ClientTime::begin).clone()
    }

    fn blamed(&self, problem: Problem) -> BoxError {
        let text = problem.detail.clone();
        _ = self.blame.set(problem);
        text.into()
    }

    /// A frame as it goes on: within the limit, and no trailer that only a head may bring.
    fn sieve(&mut self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, BoxError> {
        if let Some(trailers) = frame.trailers_mut() {
            hop::strip_trailers(trailers);
        }
        let len = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.left.checked_sub(len) {
            Some(left) => {
                self.left = left;
                Ok(frame)
            }
            None => Err(self.blamed(too_large(self.limit))),
        }
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<BoxError> {
        let until = Instant::now() + self.idle;
        let sleep = self
            .sleep
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !self.waiting {
            self.waiting = true;
            self.time.iter().for_each(ClientTime::waits);
            sleep.as_mut().reset(until);
        }
        match sleep.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let detail = format!("no byte of the request body came for {:?}", self.idle);
                Poll::Ready(self.blamed(Problem::new(ProblemCode::RequestTimeout, detail)))
            }
        }
    }
}

/// The body is larger than the route allows.
pub(crate) fn too_large(limit: u64) -> Problem {
    let detail = format!("this route takes bodies of at most {limit} bytes (max_request)");
    Problem::new(ProblemCode::RequestTooLarge, detail)
}

/// What an error of the body is answered with: the rule of the guard that was broken, or what the
/// system said.
fn broken(error: &(dyn std::error::Error + 'static)) -> Problem {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    // The error that the guard gave hides its source as long as it is one of the system's.
    let refusal = innermost.downcast_ref::<Refusal>().or_else(|| {
        let error = innermost.downcast_ref::<std::io::Error>()?;
        error.get_ref()?.downcast_ref::<Refusal>()
    });
    let code = refusal.map_or(ProblemCode::MalformedRequest, |refusal| refusal.code);
    Problem::new(code, format!("the request body ended early: {innermost}"))
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(frame) => {
                if self.waiting {
                    self.waiting = false;
                    self.time.iter().for_each(ClientTime::goes_on);
                }
                Poll::Ready(frame.map(|frame| match frame {
                    Ok(frame) => self.sieve(frame),
                    Err(error) => Err(self.blamed(broken(&error))),
                }))
            }
            Poll::Pending => self.poll_silence(cx).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
