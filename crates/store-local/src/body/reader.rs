//! Reading a body at any offset, while it grows and afterwards.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use raincheck_core::limits::BODY_READS;
use raincheck_store::{self as store, BodyId, BodyReader, Pending};
use tokio::sync::Semaphore;

use super::blocking;
use super::frame::{self, Damage};
use super::growth::{Growth, Place};

/// Reads of body files in flight. More would not be faster, but each would have a thread of its own,
/// and hundreds of readers would leave none to whoever else needs the disk.
static READS: Semaphore = Semaphore::const_new(BODY_READS);

/// Reads bytes that are in memory.
pub(super) struct Inline(pub(super) Bytes);

impl BodyReader for Inline {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        let from = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.0.len());
        let to = from.saturating_add(limit).min(self.0.len());
        Box::pin(std::future::ready(Ok(self.0.slice(from..to))))
    }
}

/// The frame that was read last: a caller that asks for less than a frame at a time asks for the
/// rest of it next.
#[derive(Default)]
struct LastFrame(Mutex<Option<(u64, Bytes)>>);

impl LastFrame {
    fn get(&self, index: u64) -> Option<Bytes> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref()
            .filter(|(at, _)| *at == index)
            .map(|(_, bytes)| bytes.clone())
    }

    fn keep(&self, index: u64, bytes: &Bytes, used_up: bool) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = (!used_up).then(|| (index, bytes.clone()));
    }

    /// Bytes from `offset` on, to the end of its frame at most. `filed` bytes are in the file.
    async fn read(
        &self,
        file: &Arc<File>,
        id: BodyId,
        filed: u64,
        offset: u64,
        limit: usize,
    ) -> Result<Bytes, store::Error> {
        let index = offset / frame::PAYLOAD;
        let at = (offset % frame::PAYLOAD) as usize;
        let len = frame::payload_len(index, filed);
        let payload = match self.get(index) {
            // The last frame of a body that grew may have been read when it was shorter.
            Some(payload) if payload.len() == len => payload,
            _ => read_frame(Arc::clone(file), id, index, len).await?,
        };
        let end = at.saturating_add(limit).min(payload.len());
        self.keep(index, &payload, end == payload.len());
        Ok(payload.slice(at.min(end)..end))
    }
}

async fn read_frame(
    file: Arc<File>,
    id: BodyId,
    index: u64,
    len: usize,
) -> Result<Bytes, store::Error> {
    // Held until the read is over, also when its caller has gone.
    let turn = READS.acquire().await.ok();
    blocking(move || {
        let _turn = turn;
        frame::read(&file, id, index, len).map_err(|damage| match damage {
            Damage::Io(error) => crate::error::of_file(&format!("body {id}"), &error),
            damage => store::Error::Corrupt(format!("body {id}: {damage}")),
        })
    })
    .await
}

/// Reads a body that may still grow.
pub(super) struct Follower {
    growth: Arc<Growth>,
    last: LastFrame,
}

impl Follower {
    pub(super) fn new(growth: &Arc<Growth>) -> Self {
        Self {
            growth: Arc::clone(growth),
            last: LastFrame::default(),
        }
    }
}

impl BodyReader for Follower {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        match self.growth.place(offset, limit) {
            Place::Memory(bytes) => Box::pin(std::future::ready(Ok(bytes))),
            Place::File { id, file, filed } => {
                Box::pin(async move { self.last.read(&file, id, filed, offset, limit).await })
            }
        }
    }
}

/// Reads a stored body.
pub(super) struct Stored {
    file: Arc<File>,
    id: BodyId,
    len: u64,
    last: LastFrame,
}

impl Stored {
    pub(super) fn new(file: File, id: BodyId, len: u64) -> Self {
        Self {
            file: Arc::new(file),
            id,
            len,
            last: LastFrame::default(),
        }
    }
}

impl BodyReader for Stored {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        Box::pin(async move {
            if offset >= self.len {
                return Ok(Bytes::new());
            }
            self.last
                .read(&self.file, self.id, self.len, offset, limit)
                .await
        })
    }
}
