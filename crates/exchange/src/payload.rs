//! Every response body a client can get, without a box around the common ones.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use raincheck_upstreams::BoxError;

use crate::open::ResponseBody;
use crate::stored::StoredBody;

/// A response body. An error ends the client's connection or stream, so that a body cut short never
/// looks whole.
pub enum Payload {
    /// Nothing.
    Empty,
    /// Bytes at hand.
    Full(Bytes),
    /// An upstream's response, passed on as it comes.
    Relay(Box<ResponseBody>),
    /// A stored response, or a part of one.
    Stored(Box<StoredBody>),
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
            Self::Relay(body) => Pin::new(&mut **body)
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(|failure| cut(&failure)))),
            Self::Stored(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Relay(body) => body.is_end_stream(),
            Self::Stored(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Relay(body) => body.size_hint(),
            Self::Stored(body) => body.size_hint(),
        }
    }
}

fn cut(failure: &raincheck_core::outcome::Failure) -> BoxError {
    format!("the upstream's response was cut short: {}", failure.detail).into()
}
