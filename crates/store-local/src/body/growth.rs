//! What a writer and its readers share: a file that grows by full frames, and a tail in memory.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use raincheck_core::limits::{BODY_INLINE_BYTES, BODY_MEMORY_BYTES};
use raincheck_store::{self as store, Body, BodyId};

use super::frame;
use super::tail::Tail;
use crate::shared::Shared;
use crate::{error, room};

/// A body that grows.
pub(super) struct Growth {
    shared: Arc<Shared>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    file: Option<(BodyId, Arc<File>)>,
    /// Bytes that are in the file.
    filed: u64,
    tail: Tail,
    /// Whether its owner is gone.
    abandoned: bool,
}

/// Where the bytes of a read are.
pub(super) enum Place {
    /// Here.
    Memory(Bytes),
    /// In a frame of the file.
    File {
        id: BodyId,
        file: Arc<File>,
        /// Bytes of the body that are in the file.
        filed: u64,
    },
}

/// Frames to be written.
struct Spill {
    id: BodyId,
    file: Arc<File>,
    first: u64,
    frames: Vec<Vec<Bytes>>,
    /// Bytes that are in the file afterwards.
    filed: u64,
}

impl Growth {
    pub(super) fn new(shared: &Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            shared: Arc::clone(shared),
            state: Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> u64 {
        let state = self.state();
        state.filed + state.tail.len() as u64
    }

    /// Appends bytes in memory; true: there are enough of them to be written to the file.
    pub(super) fn push(&self, bytes: Bytes) -> Result<bool, store::Error> {
        self.shared.check_open()?;
        let mut state = self.state();
        state.tail.push(bytes);
        Ok(state.tail.len() > BODY_MEMORY_BYTES)
    }

    /// Where the bytes from `offset` on are.
    pub(super) fn place(&self, offset: u64, limit: usize) -> Place {
        let state = self.state();
        if let Some((id, file)) = &state.file
            && offset < state.filed
        {
            return Place::File {
                id: *id,
                file: Arc::clone(file),
                filed: state.filed,
            };
        }
        let at = usize::try_from(offset - state.filed).unwrap_or(usize::MAX);
        Place::Memory(state.tail.read(at.min(state.tail.len()), limit))
    }

    /// Writes the full frames there are to the file. Blocks.
    ///
    /// A caller that gave up may have left another call of this behind. That is harmless: both
    /// write the same bytes to the same places, and the state only moves forward.
    pub(super) fn spill(&self) -> Result<(), store::Error> {
        self.write(false).inspect_err(|error| self.tell(error))
    }

    /// Tells the operator if there was no room.
    fn tell(&self, error: &store::Error) {
        if !matches!(error, store::Error::Full(_)) {
            return;
        }
        // What it has itself is free again once it was given up.
        let free = room::free(self.shared.bodies.root()).saturating_add(self.state().filed);
        self.shared.lack.body(self.len(), free);
    }

    fn write(&self, to_the_end: bool) -> Result<(), store::Error> {
        self.shared.check_open()?;
        self.ensure_file()?;
        let Some(spill) = self.plan(to_the_end) else {
            return Ok(());
        };
        for (index, frame) in (spill.first..).zip(&spill.frames) {
            frame::write(&spill.file, spill.id, index, frame)
                .map_err(|error| self.shared.body_failed(spill.id, &error))?;
        }
        let mut state = self.state();
        let step = spill.filed.saturating_sub(state.filed);
        state
            .tail
            .advance(usize::try_from(step).unwrap_or(usize::MAX));
        state.filed += step;
        Ok(())
    }

    fn ensure_file(&self) -> Result<(), store::Error> {
        if self.state().file.is_some() {
            return Ok(());
        }
        let (id, file) = self.shared.bodies.create()?;
        let mut state = self.state();
        // A call that was given up, or an owner that is gone, may have come in between.
        let needless = state.file.is_some() || state.abandoned;
        state.file.get_or_insert_with(|| (id, Arc::new(file)));
        drop(state);
        if needless {
            self.shared.bodies.abandoned(id);
        }
        Ok(())
    }

    fn plan(&self, to_the_end: bool) -> Option<Spill> {
        let mut state = self.state();
        let (id, file) = state.file.as_ref()?;
        let (id, file) = (*id, Arc::clone(file));
        let payload = frame::PAYLOAD as usize;
        let len = state.tail.len();
        let count = if to_the_end { len } else { len - len % payload };
        if count == 0 {
            return None;
        }
        let starts = (0..count).step_by(payload);
        Some(Spill {
            id,
            file,
            first: state.filed / frame::PAYLOAD,
            frames: starts
                .map(|start| state.tail.pieces(start, payload.min(count - start)))
                .collect(),
            filed: state.filed + count as u64,
        })
    }

    /// Whether the body is small enough to need no file.
    fn inline(&self) -> Option<Body> {
        let state = self.state();
        let len = state.tail.len();
        let small = state.file.is_none() && len <= BODY_INLINE_BYTES;
        small.then(|| Body::Inline(state.tail.read_all()))
    }

    /// Makes a body that will not grow any more durable. Blocks.
    pub(super) fn persist(&self) -> Result<Body, store::Error> {
        self.make_durable().inspect_err(|error| self.tell(error))
    }

    fn make_durable(&self) -> Result<Body, store::Error> {
        self.shared.check_open()?;
        if let Some(body) = self.inline() {
            return Ok(body);
        }
        self.write(true)?;
        let (id, file, len) = {
            let state = self.state();
            let Some((id, file)) = &state.file else {
                return Err(error::closed());
            };
            (*id, Arc::clone(file), state.filed)
        };
        let synced = file
            .sync_data()
            .and_then(|()| self.shared.bodies.sync_dir_of(id));
        synced.map_err(|error| self.shared.sync_failed(id, &error))?;
        Ok(Body::File { id, len })
    }

    /// Whether there is nothing to write to a file.
    pub(super) fn is_small(&self) -> bool {
        let state = self.state();
        state.file.is_none() && state.tail.len() <= BODY_INLINE_BYTES
    }

    /// The body is given to a change that is still to come.
    pub(super) fn give(&self) {
        if let Some((id, _)) = &self.state().file {
            self.shared.bodies.given(*id);
        }
    }

    /// Nobody will refer to the body unless a change that was handed in does.
    pub(super) fn abandon(&self) {
        let mut state = self.state();
        state.abandoned = true;
        let file = state.file.as_ref().map(|(id, _)| *id);
        drop(state);
        if let Some(id) = file {
            self.shared.bodies.abandoned(id);
        }
    }
}
