//! The body of a request that we send.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::link::Link;
use super::words;

/// Whatever stopped a request body.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request that we send.
#[derive(Default)]
pub enum OutBody {
    /// No body.
    #[default]
    Empty,
    /// A body that is in memory.
    Full(Bytes),
    /// A body that is produced as it is sent.
    Stream(Pin<Box<dyn Body<Data = Bytes, Error = BoxError> + Send>>),
    /// The body of a client's request, as it arrives.
    Incoming(Incoming),
}

impl std::fmt::Debug for OutBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Incoming(_) => f.write_str("Incoming"),
        }
    }
}

impl From<Bytes> for OutBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() {
            Self::Empty
        } else {
            Self::Full(bytes)
        }
    }
}

impl From<Incoming> for OutBody {
    fn from(body: Incoming) -> Self {
        Self::Incoming(body)
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *self = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(body) => body.as_mut().poll_frame(cx),
            Self::Incoming(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(bytes) => bytes.is_empty(),
            Self::Stream(body) => body.is_end_stream(),
            Self::Incoming(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(body) => body.size_hint(),
            Self::Incoming(body) => body.size_hint(),
        }
    }
}

/// A body on its way: what hyper reads, with notes for the exchange. Only a body that is produced
/// as it is sent needs them.
pub(super) struct WireBody {
    body: OutBody,
    ended: bool,
    link: Option<Arc<Link>>,
}

impl WireBody {
    pub(super) fn new(body: OutBody) -> Self {
        Self {
            body,
            ended: false,
            link: None,
        }
    }

    /// The body once more, where it is at hand.
    pub(super) fn copied(&self) -> Option<Self> {
        match &self.body {
            OutBody::Empty => Some(Self::new(OutBody::Empty)),
            OutBody::Full(bytes) => Some(Self::new(OutBody::Full(bytes.clone()))),
            OutBody::Stream(_) | OutBody::Incoming(_) => None,
        }
    }

    /// Says which connection the body is about to go out on.
    pub(super) fn attach(&mut self, link: &Arc<Link>) {
        if matches!(self.body, OutBody::Stream(_) | OutBody::Incoming(_)) {
            link.body_begins();
            self.link = Some(Arc::clone(link));
        }
    }
}

impl Drop for WireBody {
    // hyper drops the body as soon as it has taken what the framing asks for.
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.body_ends(self.ended || self.body.is_end_stream());
        }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.ended = matches!(polled, Poll::Ready(None));
        if let Some(link) = &this.link {
            link.body_waits(polled.is_pending());
            if let Poll::Ready(Some(Err(error))) = &polled {
                link.body_failed(words::request_body(&**error));
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
