//! A recording that still grows, as a response body: what those get who wait for one exchange
//! together. A slow one reads at its own pace and delays nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame};
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::Error;
use raincheck_upstreams::BoxError;

use crate::events::{self, Marks};
use crate::follow::{Follower, Met};
use crate::record::Recording;
use crate::source::{Place, Source};
use crate::{End, Payload, replay};

/// The follower is inside while it reads, and comes back with what it met.
type Step = Pin<Box<dyn Future<Output = (Follower, Result<Met, Error>)> + Send>>;

/// A recording from some byte to its end, whatever that is.
pub struct FollowedBody {
    recording: Arc<Recording>,
    step: Option<Step>,
    /// Bytes still wanted.
    left: u64,
    marks: Option<Marks>,
    trailers: Option<HeaderMap>,
    failed: Option<BoxError>,
    ended: bool,
}

impl FollowedBody {
    fn new(recording: Arc<Recording>, from: u64, left: u64, marks: Option<Marks>) -> Self {
        let follower = Follower::new(&recording, from);
        Self {
            recording,
            step: (left > 0).then(|| next(follower, left)),
            left,
            marks,
            trailers: None,
            failed: None,
            ended: left == 0,
        }
    }

    /// Bytes that came; what is wanted beyond them is asked for at once.
    fn came(&mut self, bytes: Bytes, follower: Follower) -> Bytes {
        self.left = self.left.saturating_sub(bytes.len() as u64);
        self.ended = self.left == 0;
        self.step = (!self.ended).then(|| next(follower, self.left));
        match &mut self.marks {
            Some(marks) => marks.mark(bytes),
            None => bytes,
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

fn next(mut follower: Follower, left: u64) -> Step {
    let limit = usize::try_from(left).unwrap_or(usize::MAX);
    Box::pin(async move {
        let met = follower.next(limit.min(SEGMENT_FRAME_BYTES)).await;
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
                    let bytes = self.came(bytes, follower);
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

/// What a client wants of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// All of it from this byte on.
    From(u64),
    /// From the first of these bytes to the last.
    Range(u64, u64),
}

/// A part of a recording, as it grows.
pub fn body(recording: Arc<Recording>, part: Part) -> Payload {
    let (from, left) = match part {
        Part::Whole => (0, u64::MAX),
        Part::From(first) => (first, u64::MAX),
        Part::Range(first, last) => (first, last.saturating_sub(first).saturating_add(1)),
    };
    Payload::Followed(Box::new(FollowedBody::new(recording, from, left, None)))
}

/// A recording as a response that grows with it. None: its head is not known.
pub fn response(recording: &Arc<Recording>) -> Option<Response<Payload>> {
    let head = recording.head()?.clone();
    let body = body(Arc::clone(recording), Part::Whole);
    Some(replay::with_head(head, body))
}

/// The same to a reader of events, which may come again: every event has an id, and the reader goes
/// on after its `last`; 204 where there is nothing after that, at which readers stop. None: the
/// head is not known, or it is no stream of events.
///
/// # Errors
/// The recorded bytes cannot be read.
pub async fn events(
    source: &Source,
    last: Option<&[u8]>,
) -> Result<Option<Response<Payload>>, Error> {
    let Some(head) = source.recording.head().filter(|head| events::spoken(head)) else {
        return Ok(None);
    };
    let place = match last.filter(|id| !id.is_empty()) {
        Some(id) => source.place(id).await?,
        None => Place::From(0),
    };
    let Place::From(offset) = place else {
        let mut response = Response::new(Payload::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Ok(Some(response));
    };
    let marks = Marks::new(source.job, source.run, offset);
    let recording = Arc::clone(&source.recording);
    let body = FollowedBody::new(recording, offset, u64::MAX, Some(marks));
    let mut response = replay::with_head(head.clone(), Payload::Followed(Box::new(body)));
    let headers = response.headers_mut();
    // They are of the bytes as they were.
    for name in [header::CONTENT_LENGTH, header::ETAG, header::ACCEPT_RANGES] {
        headers.remove(name);
    }
    headers.remove("content-digest");
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold events back until its buffer is full.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(Some(response))
}

/// A stream of events without any, to a reader that is to come again in a second.
pub fn come_again() -> Response<Payload> {
    let mut response = Response::new(Payload::Full(Bytes::from_static(b"retry: 1000\n\n")));
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static(events::MEDIA_TYPE);
    headers.insert(header::CONTENT_TYPE, kind);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
