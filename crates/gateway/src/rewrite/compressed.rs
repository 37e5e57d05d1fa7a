//! A body in a content coding, made as it comes.
//!
//! Whenever the backend pauses, what it has sent so far is flushed, so that a stream arrives piece
//! by piece as it would without. A body that breaks off is not finished: its reader sees that it was
//! cut.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http_body::{Body, Frame};
use raincheck_core::rewrite::Coding;
use raincheck_exchange::Payload;

use crate::server::BoxError;

/// Bytes that are ready before they are passed on without a pause of the backend.
const PIECE_BYTES: usize = 16 * 1024;
/// Bytes that are taken in one turn, so that a large body leaves room for other connections.
const TURN_BYTES: usize = 256 * 1024;
/// What both do well at little cost.
const GZIP_LEVEL: u32 = 5;
const ZSTD_LEVEL: i32 = 3;
/// 256 KiB of history: more would cost each stream megabytes.
const ZSTD_WINDOW_LOG: u32 = 18;

/// A body that is compressed on its way.
pub(super) struct Compressed {
    body: Payload,
    /// None once the end is written.
    encoder: Option<Encoder>,
    trailers: Option<HeaderMap>,
    /// Whether something was taken that has not been flushed.
    held: bool,
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Compressed {
    /// `body` in this coding; `len` is its length, where that is known.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn new(body: Payload, coding: Coding, len: Option<u64>) -> io::Result<Self> {
        Ok(Self {
            body,
            encoder: Some(Encoder::new(coding, len)?),
            trailers: None,
            held: false,
        })
    }

    /// The last bytes, or the trailers after them.
    fn finish(&mut self) -> Result<Option<Frame<Bytes>>, BoxError> {
        match self.encoder.take() {
            Some(encoder) => Ok(Some(Frame::data(encoder.finish()?.into()))),
            None => Ok(self.trailers.take().map(Frame::trailers)),
        }
    }
}

impl Encoder {
    fn new(coding: Coding, len: Option<u64>) -> io::Result<Self> {
        Ok(match coding {
            Coding::Gzip => Self::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW_LOG)?;
                encoder.set_pledged_src_size(len)?;
                Self::Zstd(encoder)
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Zstd(encoder) => encoder.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }

    fn ready(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Gzip(encoder) => encoder.get_mut(),
            Self::Zstd(encoder) => encoder.get_mut(),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Body for Compressed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let mut taken = 0;
        loop {
            let Some(encoder) = &mut this.encoder else {
                return Poll::Ready(this.finish().transpose());
            };
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => {
                        encoder.write(&bytes)?;
                        this.held = true;
                        taken += bytes.len();
                    }
                    Err(frame) => {
                        this.trailers = frame.into_trailers().ok();
                        return Poll::Ready(this.finish().transpose());
                    }
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(this.finish().transpose()),
                Poll::Pending if this.held => {
                    encoder.flush()?;
                    this.held = false;
                    return Poll::Ready(Some(Ok(Frame::data(
                        std::mem::take(encoder.ready()).into(),
                    ))));
                }
                Poll::Pending => return Poll::Pending,
            }
            if encoder.ready().len() >= PIECE_BYTES {
                let ready = std::mem::take(encoder.ready());
                return Poll::Ready(Some(Ok(Frame::data(ready.into()))));
            }
            if taken >= TURN_BYTES {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

#[cfg(test)]
mod tests;
