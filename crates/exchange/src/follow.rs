//! A reader of a recording at some offset, also while it still grows.

use std::sync::Arc;

use bytes::Bytes;
use raincheck_core::head::ResponseHead;
use raincheck_store::Error;
use tokio::sync::watch;

use crate::End;
use crate::record::{Recording, State};

/// Reads a recording. Dropping it stops nothing but itself.
pub struct Follower {
    recording: Arc<Recording>,
    state: watch::Receiver<State>,
    offset: u64,
}

/// What a follower meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Met {
    /// The next bytes.
    Bytes(Bytes),
    /// There are no more.
    End(End),
}

impl Follower {
    /// A follower from `offset` on.
    pub fn new(recording: &Arc<Recording>, offset: u64) -> Self {
        Self {
            recording: Arc::clone(recording),
            state: recording.watch(),
            offset,
        }
    }

    /// Where it stands.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Waits for the head; the end, if there never is one. Cancel-safe.
    pub async fn head(&mut self) -> Result<ResponseHead, End> {
        let reached = self
            .state
            .wait_for(|state| state.head || state.end.is_some())
            .await;
        let end = reached.map_or(Some(End::Lost), |state| state.end.clone());
        match (self.recording.head(), end) {
            (Some(head), _) => Ok(head.clone()),
            (None, end) => Err(end.unwrap_or(End::Lost)),
        }
    }

    /// Waits for the next bytes, at most `limit`, or the end. Cancel-safe: bytes not returned are
    /// returned by the next call.
    ///
    /// # Errors
    /// The stored bytes cannot be read.
    pub async fn next(&mut self, limit: usize) -> Result<Met, Error> {
        let offset = self.offset;
        let (len, end) = self.past(offset).await;
        if len <= offset {
            return Ok(Met::End(end.unwrap_or(End::Lost)));
        }
        let room = usize::try_from(len - offset)
            .unwrap_or(usize::MAX)
            .min(limit);
        let bytes = self.recording.reader().read(offset, room).await?;
        self.offset += bytes.len() as u64;
        Ok(Met::Bytes(bytes))
    }

    /// Waits for bytes past `offset` or the end: how many there are, and how it ended. On its own,
    /// so that no reading is awaited while the state is locked.
    async fn past(&mut self, offset: u64) -> (u64, Option<End>) {
        let reached = self.state.wait_for(|s| s.len > offset || s.end.is_some());
        match reached.await {
            Ok(state) => (state.len, state.end.clone()),
            Err(_) => (offset, Some(End::Lost)),
        }
    }
}
