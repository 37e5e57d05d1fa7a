//! Bodies in memory: strings of bytes that grow while they are read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raincheck_core::limits::BODY_INLINE_BYTES;

use super::{ModelStore, Shared};
use crate::bodies::{Sealed, SealedBody};
use crate::{Bodies, Body, BodyId, BodyReader, BodyWriter, Error, Pending};

/// Bytes that were appended so far, as the pieces in which they came.
#[derive(Default)]
pub(super) struct Bytestring {
    pieces: Mutex<Pieces>,
}

#[derive(Default)]
struct Pieces {
    /// Each with the offset of its first byte.
    all: Vec<(u64, Bytes)>,
    len: u64,
}

impl Bytestring {
    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn len(&self) -> u64 {
        self.pieces().len
    }

    fn append(&self, bytes: Bytes) {
        let mut pieces = self.pieces();
        if !bytes.is_empty() {
            let start = pieces.len;
            pieces.len += bytes.len() as u64;
            pieces.all.push((start, bytes));
        }
    }

    /// Never more than the rest of one piece, so that callers learn to read on.
    fn read(&self, offset: u64, limit: usize) -> Bytes {
        let pieces = self.pieces();
        let after = pieces.all.partition_point(|(start, _)| *start <= offset);
        let piece = after.checked_sub(1).and_then(|index| pieces.all.get(index));
        let Some((start, bytes)) = piece else {
            return Bytes::new();
        };
        let from = usize::try_from(offset - start).map_or(bytes.len(), |at| at.min(bytes.len()));
        let to = from.saturating_add(limit).min(bytes.len());
        bytes.slice(from..to)
    }

    fn whole(&self) -> Bytes {
        let pieces = self.pieces();
        let mut whole = Vec::new();
        for (_, bytes) in &pieces.all {
            whole.extend_from_slice(bytes);
        }
        whole.into()
    }
}

struct Reader(Arc<Bytestring>);

impl BodyReader for Reader {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        Box::pin(async move { Ok(self.0.read(offset, limit)) })
    }
}

struct Writer {
    shared: Arc<Shared>,
    bytes: Arc<Bytestring>,
}

impl BodyWriter for Writer {
    fn append(&mut self, bytes: Bytes) -> Pending<'_, ()> {
        Box::pin(async move {
            self.shared.body_allowed()?;
            self.bytes.append(bytes);
            Ok(())
        })
    }

    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn reader(&self) -> Box<dyn BodyReader> {
        Box::new(Reader(Arc::clone(&self.bytes)))
    }

    fn finish(self: Box<Self>) -> Pending<'static, Body> {
        Box::pin(async move {
            let body = self.shared.persist(&self.bytes)?;
            // It has no owner any more: it waits for one change, and goes with it if that is refused.
            let id = super::file_id(&body);
            self.shared.state().claims.abandoned.extend(id);
            Ok(body)
        })
    }

    fn seal(self: Box<Self>) -> Pending<'static, Sealed> {
        Box::pin(async move {
            self.shared.body_allowed()?;
            let Self { shared, bytes } = *self;
            let persisted = Mutex::new(None);
            Ok(Arc::new(Whole {
                shared,
                bytes,
                persisted,
            }) as Sealed)
        })
    }
}

struct Whole {
    shared: Arc<Shared>,
    bytes: Arc<Bytestring>,
    persisted: Mutex<Option<Body>>,
}

impl SealedBody for Whole {
    fn len(&self) -> u64 {
        self.bytes.len()
    }

    fn reader(&self) -> Box<dyn BodyReader> {
        Box::new(Reader(Arc::clone(&self.bytes)))
    }

    fn persist(&self) -> Pending<'_, Body> {
        Box::pin(async move {
            let slot = self.persisted.lock();
            let mut persisted = slot.unwrap_or_else(PoisonError::into_inner);
            if let Some(body) = &*persisted {
                return Ok(body.clone());
            }
            let body = self.shared.persist(&self.bytes)?;
            Ok(persisted.insert(body).clone())
        })
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let slot = self.persisted.get_mut();
        if let Some(Body::File { id, .. }) = slot.unwrap_or_else(PoisonError::into_inner) {
            let mut state = self.shared.state();
            state.claims.abandoned.insert(*id);
            if state.claims.is_free(*id) {
                state.disk.files.remove(id);
            }
        }
    }
}

impl Shared {
    fn body_allowed(&self) -> Result<(), Error> {
        let state = self.open_state()?;
        state.body_failure.clone().map_or(Ok(()), Err)
    }

    fn persist(&self, bytes: &Arc<Bytestring>) -> Result<Body, Error> {
        self.body_allowed()?;
        let len = bytes.len();
        if len <= BODY_INLINE_BYTES as u64 {
            return Ok(Body::Inline(bytes.whole()));
        }
        let mut state = self.open_state()?;
        state.disk.last_body += 1;
        let id = BodyId(state.disk.last_body);
        state.disk.files.insert(id, Arc::clone(bytes));
        Ok(Body::File { id, len })
    }
}

impl Bodies for ModelStore {
    fn create(&self) -> Box<dyn BodyWriter> {
        Box::new(Writer {
            shared: Arc::clone(&self.shared),
            bytes: Arc::default(),
        })
    }

    fn open(&self, body: &Body) -> Pending<'_, Box<dyn BodyReader>> {
        let body = body.clone();
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let bytes = match body {
                Body::Inline(inline) => {
                    let bytes = Bytestring::default();
                    bytes.append(inline);
                    Arc::new(bytes)
                }
                Body::File { id, len } => {
                    let file = state.disk.files.get(&id).filter(|file| file.len() == len);
                    let gone = || Error::Corrupt(format!("body {id} is missing or cut short"));
                    Arc::clone(file.ok_or_else(gone)?)
                }
            };
            Ok(Box::new(Reader(bytes)) as Box<dyn BodyReader>)
        })
    }
}
