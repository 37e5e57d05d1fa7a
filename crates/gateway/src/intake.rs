//! A request body taken in whole: memory first, then the store's spool, within the route's limit.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::Body as _;
use raincheck_core::key::BodyDigest;
use raincheck_core::limits::BODY_MEMORY_BYTES;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::RequestBody;
use raincheck_store::{Bodies, BodyWriter};

use crate::client_body::{Blame, ClientBody, too_large};
use crate::connection::arriving::Arriving;
use crate::options::Options;

/// A body that is whole.
pub(crate) struct Whole {
    pub(crate) body: RequestBody,
    pub(crate) trailers: HeaderMap,
}

/// Where bytes go while they come.
enum Held {
    /// One piece, passed on as it came.
    One(Bytes),
    /// Several pieces in one buffer.
    Memory(BytesMut),
    /// More than memory should hold.
    Spool(Box<dyn BodyWriter>),
}

/// Refuses a body that says beforehand that it is too large.
pub(crate) fn check_size(incoming: &Arriving, limit: u64) -> Result<(), Problem> {
    if incoming.size_hint().lower() > limit {
        Err(too_large(limit))
    } else {
        Ok(())
    }
}

/// Takes a body in, and its digest where somebody wants it. Cancel-safe: what was taken is dropped.
pub(crate) async fn take(
    incoming: Arriving,
    limit: u64,
    options: &Options,
    bodies: &(impl Bodies + ?Sized),
    mut digest: Option<&mut BodyDigest>,
) -> Result<Whole, Problem> {
    check_size(&incoming, limit)?;
    let mut trailers = HeaderMap::new();
    if incoming.is_end_stream() {
        return Ok(Whole {
            body: RequestBody::Bytes(Bytes::new()),
            trailers,
        });
    }
    let blame = Blame::default();
    let mut body = ClientBody::new(
        incoming,
        limit,
        options.body_idle_timeout,
        Arc::clone(&blame),
    );
    let mut held = Held::One(Bytes::new());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|error| blamed(&blame, &*error))?;
        match frame.into_data() {
            Ok(bytes) => {
                if let Some(digest) = &mut digest {
                    digest.update(&bytes);
                }
                held = held.add(bytes, bodies).await?;
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(Whole {
        body: held.finish().await?,
        trailers,
    })
}

/// The problem behind a failed body.
pub(crate) fn blamed(blame: &Blame, error: &(dyn std::error::Error + 'static)) -> Problem {
    let unknown = || Problem::new(ProblemCode::MalformedRequest, error.to_string());
    blame.get().cloned().unwrap_or_else(unknown)
}

impl Held {
    async fn add(self, bytes: Bytes, bodies: &(impl Bodies + ?Sized)) -> Result<Self, Problem> {
        match self {
            Self::One(first) if first.is_empty() => Ok(Self::One(bytes)),
            Self::One(first) if first.len() + bytes.len() <= BODY_MEMORY_BYTES => {
                let mut buffer = BytesMut::with_capacity(2 * (first.len() + bytes.len()));
                buffer.extend_from_slice(&first);
                buffer.extend_from_slice(&bytes);
                Ok(Self::Memory(buffer))
            }
            Self::Memory(mut buffer) if buffer.len() + bytes.len() <= BODY_MEMORY_BYTES => {
                buffer.extend_from_slice(&bytes);
                Ok(Self::Memory(buffer))
            }
            Self::One(first) => spool(bodies.create(), [first, bytes]).await,
            Self::Memory(buffer) => spool(bodies.create(), [buffer.freeze(), bytes]).await,
            Self::Spool(writer) => spool(writer, [bytes]).await,
        }
    }

    async fn finish(self) -> Result<RequestBody, Problem> {
        match self {
            Self::One(bytes) => Ok(RequestBody::Bytes(bytes)),
            Self::Memory(buffer) => Ok(RequestBody::Bytes(buffer.freeze())),
            Self::Spool(writer) => writer
                .seal()
                .await
                .map(RequestBody::Sealed)
                .map_err(|error| refused(&error)),
        }
    }
}

async fn spool(
    mut writer: Box<dyn BodyWriter>,
    pieces: impl IntoIterator<Item = Bytes>,
) -> Result<Held, Problem> {
    for bytes in pieces {
        writer
            .append(bytes)
            .await
            .map_err(|error| refused(&error))?;
    }
    Ok(Held::Spool(writer))
}

fn refused(error: &raincheck_store::Error) -> Problem {
    raincheck_runner::Error::Store(error.clone()).problem()
}
