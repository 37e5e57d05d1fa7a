//! Bytes behind a reader as an HTTP body: requests sent from the spool, results replayed.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use raincheck_store::{BodyReader, Error};
use raincheck_upstreams::BoxError;

type Read = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send>>;

/// A part of a whole body, read piece by piece as it is asked for, so that memory stays flat.
pub struct StoredBody {
    reader: Option<Arc<dyn BodyReader>>,
    ready: Bytes,
    offset: u64,
    left: u64,
    trailers: Option<HeaderMap>,
    piece: usize,
    read: Option<Read>,
}

impl StoredBody {
    /// `len` bytes from `offset`, then `trailers` if there are any, in pieces of `piece` bytes.
    pub fn new(
        reader: Arc<dyn BodyReader>,
        offset: u64,
        len: u64,
        trailers: HeaderMap,
        piece: usize,
    ) -> Self {
        Self {
            reader: Some(reader),
            ready: Bytes::new(),
            offset,
            left: len,
            trailers: (!trailers.is_empty()).then_some(trailers),
            piece,
            read: None,
        }
    }

    /// These bytes, then `trailers` if there are any.
    pub fn from_bytes(bytes: Bytes, trailers: HeaderMap) -> Self {
        Self {
            reader: None,
            left: bytes.len() as u64,
            ready: bytes,
            offset: 0,
            trailers: (!trailers.is_empty()).then_some(trailers),
            piece: 0,
            read: None,
        }
    }

    /// The trailers that are still to come.
    pub(crate) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    fn took(&mut self, bytes: Bytes) -> Bytes {
        let len = bytes.len() as u64;
        self.offset += len;
        self.left = self.left.saturating_sub(len);
        bytes
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, BoxError>> {
        let Some(reader) = &self.reader else {
            return Poll::Ready(Ok(std::mem::take(&mut self.ready)));
        };
        let (offset, left, piece) = (self.offset, self.left, self.piece);
        let limit = usize::try_from(left).unwrap_or(usize::MAX).min(piece);
        let read = self.read.get_or_insert_with(|| {
            let reader = Arc::clone(reader);
            Box::pin(async move { reader.read(offset, limit).await })
        });
        let bytes = ready!(read.as_mut().poll(cx));
        self.read = None;
        match bytes {
            Ok(bytes) if bytes.is_empty() => {
                let text = format!("a stored body ends {left} bytes before its length");
                Poll::Ready(Err(Error::Corrupt(text).into()))
            }
            Ok(bytes) => Poll::Ready(Ok(bytes)),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}

impl Body for StoredBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.left == 0 {
            return Poll::Ready(
                self.trailers
                    .take()
                    .map(|fields| Ok(Frame::trailers(fields))),
            );
        }
        let bytes = ready!(self.poll_read(cx));
        Poll::Ready(Some(bytes.map(|bytes| Frame::data(self.took(bytes)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0 && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        match self.trailers {
            Some(_) => SizeHint::default(),
            None => SizeHint::with_exact(self.left),
        }
    }
}
