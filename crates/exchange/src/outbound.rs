//! The request as it is sent in one attempt: the stored head, our own fields, the body.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri, Version};
use raincheck_core::head::RequestHead;
use raincheck_core::hop;
use raincheck_core::id::JobId;
use raincheck_core::limits::{BODY_INLINE_BYTES, SEGMENT_FRAME_BYTES};
use raincheck_core::time::Timestamp;
use raincheck_store::{Bodies, Body, BodyReader, Error, Sealed};
use raincheck_upstreams::OutBody;

use crate::stored::StoredBody;

/// `Raincheck-Job-Id`: on requests the same in every attempt, so that a backend can know a
/// repetition; also on tickets and results.
pub const JOB_ID: HeaderName = HeaderName::from_static("raincheck-job-id");
/// `Raincheck-Attempt`: 1 for the first.
pub const ATTEMPT: HeaderName = HeaderName::from_static("raincheck-attempt");
/// `Raincheck-Deadline`: when we stop waiting for this attempt, as in RFC 3339.
pub const DEADLINE: HeaderName = HeaderName::from_static("raincheck-deadline");

/// `Raincheck-Progress`: where this attempt may `PUT` how far it is.
pub const PROGRESS: HeaderName = HeaderName::from_static("raincheck-progress");

/// A request body that is whole: it can be sent as often as needed.
#[derive(Clone)]
pub enum RequestBody {
    /// In memory.
    Bytes(Bytes),
    /// Whole but not durable: received a moment ago, too large for memory.
    Sealed(Sealed),
    /// Behind a reader.
    Stored {
        /// Reads it.
        reader: Arc<dyn BodyReader>,
        /// Its bytes.
        len: u64,
    },
}

impl RequestBody {
    /// The body as it is put on the wire.
    pub fn outgoing(&self, trailers: &HeaderMap) -> OutBody {
        match self {
            Self::Bytes(bytes) if trailers.is_empty() && bytes.is_empty() => OutBody::Empty,
            Self::Bytes(bytes) if trailers.is_empty() => OutBody::Full(bytes.clone()),
            Self::Bytes(bytes) => OutBody::Stream(Box::pin(StoredBody::from_bytes(
                bytes.clone(),
                trailers.clone(),
            ))),
            Self::Sealed(sealed) => streamed(sealed.reader().into(), sealed.len(), trailers),
            Self::Stored { reader, len } => streamed(Arc::clone(reader), *len, trailers),
        }
    }

    /// Makes the body durable, so that a job may be committed with it.
    ///
    /// # Errors
    /// The store would not take it.
    pub async fn persist(&self, bodies: &(impl Bodies + ?Sized)) -> Result<Body, Error> {
        match self {
            Self::Bytes(bytes) if bytes.len() <= BODY_INLINE_BYTES => {
                Ok(Body::Inline(bytes.clone()))
            }
            Self::Bytes(bytes) => {
                let mut writer = bodies.create();
                writer.append(bytes.clone()).await?;
                writer.finish().await
            }
            Self::Sealed(sealed) => sealed.persist().await,
            Self::Stored { .. } => Err(Error::Unavailable("the body is stored already".into())),
        }
    }

    /// A stored body, to be sent again.
    ///
    /// # Errors
    /// Its file is missing or damaged.
    pub async fn load(body: &Body, bodies: &(impl Bodies + ?Sized)) -> Result<Self, Error> {
        match body {
            Body::Inline(bytes) => Ok(Self::Bytes(bytes.clone())),
            Body::File { len, .. } => Ok(Self::Stored {
                reader: bodies.open(body).await?.into(),
                len: *len,
            }),
        }
    }
}

fn streamed(reader: Arc<dyn BodyReader>, len: u64, trailers: &HeaderMap) -> OutBody {
    let body = StoredBody::new(reader, 0, len, trailers.clone(), SEGMENT_FRAME_BYTES);
    OutBody::Stream(Box::pin(body))
}

/// What marks one attempt of one job to the backend.
#[derive(Debug, Clone)]
pub struct Outbound {
    /// The job, or the id it would have.
    pub job: JobId,
    /// Which attempt; 1 for the first.
    pub attempt: u32,
    /// When we stop waiting, where we do.
    pub deadline: Option<Timestamp>,
    /// Where the backend may report progress, if anybody will see it.
    pub progress: Option<HeaderValue>,
}

impl Outbound {
    /// The request as it is sent, with a body that is whole: its trailers are announced.
    pub fn whole(
        &self,
        mut head: RequestHead,
        body: &RequestBody,
        trailers: &HeaderMap,
    ) -> Request<OutBody> {
        hop::announce_trailers(&mut head.headers, trailers);
        self.request(head, body.outgoing(trailers))
    }

    /// The request as it is sent.
    pub fn request(&self, head: RequestHead, body: OutBody) -> Request<OutBody> {
        let RequestHead {
            method,
            target,
            mut headers,
        } = head;
        self.stamp(&mut headers);
        // RFC 9110 section 8.6: a method that expects content says so when there is none.
        let expects = matches!(method, Method::POST | Method::PUT | Method::PATCH);
        if expects && matches!(body, OutBody::Empty) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from(target);
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = headers;
        request
    }

    fn stamp(&self, headers: &mut HeaderMap) {
        let mut set = |name, text: &[u8]| {
            if let Ok(value) = HeaderValue::from_bytes(text) {
                headers.insert(name, value);
            }
        };
        set(JOB_ID, &self.job.text());
        if let Some(deadline) = self.deadline {
            set(DEADLINE, &deadline.text());
        }
        let attempt = match self.attempt {
            1 => HeaderValue::from_static("1"),
            attempt => HeaderValue::from(attempt),
        };
        if let Some(progress) = &self.progress {
            headers.insert(PROGRESS, progress.clone());
        }
        headers.insert(ATTEMPT, attempt);
    }
}
