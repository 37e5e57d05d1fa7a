//! A body that holds something until the connection is done with it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

pin_project_lite::pin_project! {
    /// The body of an answer, and what is dropped with it.
    #[derive(Debug)]
    pub struct Holding<B, T> {
        #[pin]
        body: B,
        held: T,
    }
}

impl<B, T> Holding<B, T> {
    pub(crate) fn new(body: B, held: T) -> Self {
        Self { body, held }
    }
}

impl<B: Body<Data = Bytes>, T> Body for Holding<B, T> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
