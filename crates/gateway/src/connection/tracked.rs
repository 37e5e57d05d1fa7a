//! A response body that knows when the connection is done with it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::pulse::Flight;

pin_project_lite::pin_project! {
    /// A handler's body; the request is in flight until this is dropped.
    pub(crate) struct Tracked<B> {
        #[pin]
        body: B,
        flight: Flight,
    }
}

impl<B> Tracked<B> {
    /// Wraps the body of an answer.
    pub(crate) fn new(body: B, flight: Flight) -> Self {
        Self { body, flight }
    }
}

impl<B: Body<Data = Bytes>> Body for Tracked<B> {
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
