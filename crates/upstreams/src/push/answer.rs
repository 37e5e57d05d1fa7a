//! An upstream's answer: its head, and its body as it arrives.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use raincheck_core::outcome::Failure;

/// The head of a response, and its body to be read.
#[derive(Debug)]
pub struct Answer {
    /// Status, fields as they came, and extensions (`hyper::ext::ReasonPhrase` where the phrase
    /// is not the usual one).
    pub head: http::response::Parts,
    /// The body.
    pub body: AnswerBody,
}

/// The body of a response: data and trailers from the upstream. At its clean end the connection
/// goes back to the pool; dropped before, the connection is closed at once.
#[derive(Debug)]
pub struct AnswerBody {}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        true
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(0)
    }
}
