//! Every response body a client can get, without a box around the common ones.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use raincheck_core::outcome::Failure;
use raincheck_upstreams::BoxError;
use tokio::time::Instant;

use crate::followed::FollowedBody;
use crate::incoming::ResponseBody;
use crate::stored::StoredBody;

/// A response body. An error ends the client's connection or stream, so that a body cut short never
/// looks whole.
pub enum Payload {
    /// Nothing.
    Empty,
    /// Bytes at hand.
    Full(Bytes),
    /// An upstream's response, passed on as it comes.
    Relay(Box<Relay>),
    /// A stored response, or a part of one.
    Stored(Box<StoredBody>),
    /// What is told as it happens.
    Live(Pin<Box<dyn Body<Data = Bytes, Error = Infallible> + Send>>),
    /// An upstream's response, passed on as it is recorded.
    Followed(Box<FollowedBody>),
    /// One of these, changed on its way.
    Changed(Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>),
}

/// An upstream's response on its way to a client.
pub struct Relay {
    body: ResponseBody,
    failed: Option<Failure>,
    /// When the client was given bytes for which it has not come back yet.
    given: Option<Instant>,
}

impl Relay {
    /// A response that is passed on as it comes.
    pub fn new(body: ResponseBody) -> Self {
        Self {
            body,
            failed: None,
            given: None,
        }
    }

    /// An error is told one turn late: the server drops what it has not yet written when a body
    /// fails, and the client should get the head and the bytes that came before.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(failure) = self.failed.take() {
            return Poll::Ready(Some(Err(cut(&failure))));
        }
        // A client that takes its time must not use up the backend's.
        if let Some(given) = self.given.take() {
            self.body.forgive(given.elapsed());
        }
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Err(failure)) => {
                self.failed = Some(failure);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Some(Ok(frame)) => {
                self.given = (!self.body.is_end_stream()).then(Instant::now);
                Poll::Ready(Some(Ok(frame)))
            }
            None => Poll::Ready(None),
        }
    }
}

impl Payload {
    /// What is told as it happens.
    pub fn live(body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static) -> Self {
        Self::Live(Box::pin(body))
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Full(bytes.into())
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Relay(relay) => relay.poll(cx),
            Self::Stored(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Live(body) => {
                let frame = ready!(body.as_mut().poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|never| match never {})))
            }
            Self::Followed(body) => Pin::new(&mut **body).poll_frame(cx),
            Self::Changed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Relay(relay) => relay.failed.is_none() && relay.body.is_end_stream(),
            Self::Stored(body) => body.is_end_stream(),
            Self::Live(body) => body.is_end_stream(),
            Self::Followed(body) => body.is_end_stream(),
            Self::Changed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relay(relay) => relay.body.size_hint(),
            Self::Stored(body) => body.size_hint(),
            Self::Live(body) => body.size_hint(),
            Self::Followed(body) => body.size_hint(),
            Self::Changed(body) => body.size_hint(),
        }
    }
}

fn cut(failure: &Failure) -> BoxError {
    format!("the upstream's response was cut short: {}", failure.detail).into()
}
