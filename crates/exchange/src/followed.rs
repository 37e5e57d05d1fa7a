//! A recording that still grows, as a response body: what those get who wait for one exchange
//! together. A slow one reads at its own pace and delays nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::Error;
use raincheck_upstreams::BoxError;

use crate::follow::{Follower, Met};
use crate::record::Recording;
use crate::{End, Payload, replay};

/// The follower is inside while it reads, and comes back with what it met.
type Step = Pin<Box<dyn Future<Output = (Follower, Result<Met, Error>)> + Send>>;

/// A recording from its beginning to its end, whatever that is.
pub struct FollowedBody {
    recording: Arc<Recording>,
    step: Option<Step>,
    trailers: Option<HeaderMap>,
    failed: Option<BoxError>,
    ended: bool,
}

impl FollowedBody {
    fn new(recording: Arc<Recording>, follower: Follower) -> Self {
        Self {
            recording,
            step: Some(next(follower)),
            trailers: None,
            failed: None,
            ended: false,
        }
    }

    /// An error is told one turn late: the server drops what it has not yet written when a body
    /// fails, and the client should get the bytes that came before.
    fn fail(&mut self, error: BoxError, cx: &Context<'_>) {
        self.ended = true;
        self.failed = Some(error);
        cx.waker().wake_by_ref();
    }

    fn end(&mut self, end: End, cx: &Context<'_>) {
        match end {
            End::Complete => {
                self.ended = true;
                let trailers = self.recording.trailers();
                self.trailers = trailers.filter(|fields| !fields.is_empty()).cloned();
            }
            End::Aborted(failure) => {
                let why = format!("the upstream's response was cut short: {}", failure.detail);
                self.fail(why.into(), cx);
            }
            End::Lost => self.fail("the end of the recording is lost".into(), cx),
        }
    }
}

fn next(mut follower: Follower) -> Step {
    Box::pin(async move {
        let met = follower.next(SEGMENT_FRAME_BYTES).await;
        (follower, met)
    })
}

impl Body for FollowedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        if let Some(step) = &mut self.step {
            let (follower, met) = ready!(step.as_mut().poll(cx));
            self.step = None;
            match met {
                Ok(Met::Bytes(bytes)) => {
                    self.step = Some(next(follower));
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Ok(Met::End(end)) => self.end(end, cx),
                Err(error) => self.fail(error.into(), cx),
            }
            if self.failed.is_some() {
                return Poll::Pending;
            }
        }
        Poll::Ready(
            self.trailers
                .take()
                .map(|fields| Ok(Frame::trailers(fields))),
        )
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.failed.is_none() && self.trailers.is_none()
    }
}

/// Waits for the head of a recording and gives it back as a response that grows with it; none: it
/// ended without one. Cancel-safe.
pub async fn response(recording: Arc<Recording>) -> Option<http::Response<Payload>> {
    let mut follower = Follower::new(&recording, 0);
    let head = follower.head().await.ok()?;
    let body = FollowedBody::new(recording, follower);
    Some(replay::with_head(head, Payload::Followed(Box::new(body))))
}
