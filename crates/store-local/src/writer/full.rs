//! What is still written where there is no room: what makes some.

use raincheck_store as store;

use super::Writer;
use crate::inbox::Handed;
use crate::reserve::BYTES;

/// Bytes of a page of the database.
const PAGE: u64 = 4096;

impl Writer {
    /// A batch had no room. What makes room is tried once more, with what was kept for it.
    pub(super) fn full(&mut self, batch: Vec<Handed>, why: &str) {
        self.shared.lack.raise(why);
        let (frees, grows) = parted(batch);
        let was_mixed = !grows.is_empty();
        self.refuse(grows, &store::Error::Full(why.to_owned()));
        if self.reserve.release() {
            // The log can then start over in the room that it has.
            let shared = &self.shared;
            shared.checkpoints.empty(&self.conn, &shared.fault);
        } else if !was_mixed {
            return self.refuse(frees, &store::Error::Full(why.to_owned()));
        }
        if !frees.is_empty() {
            self.write(frees);
        }
    }

    /// What of a batch may be tried: while there is no room, only what makes some.
    pub(super) fn admit(&self, batch: Vec<Handed>) -> Vec<Handed> {
        let Some(why) = self.shared.lack.of_changes() else {
            return batch;
        };
        if self.has_room() {
            return batch;
        }
        let (frees, grows) = parted(batch);
        self.refuse(grows, &store::Error::Full(why));
        frees
    }

    /// Whether all of a batch makes room; told only while there is none, as nobody asks otherwise.
    pub(super) fn is_only_making_room(&self, batch: &[Handed]) -> bool {
        self.shared.lack.lacking().changes && batch.iter().all(|handed| handed.change.makes_room())
    }

    /// A batch was written; `grows`: also one that needs room.
    pub(super) fn written(&self, grows: bool) {
        let shared = &self.shared;
        let lacking = shared.lack.lacking();
        if lacking.bodies {
            self.look_for_room_for_bodies();
        }
        if !lacking.changes {
            return;
        }
        shared.checkpoints.empty(&self.conn, &shared.fault);
        if grows {
            self.reserve.restore();
            shared.lack.clear();
        }
    }

    /// Says that there is room again, if there is.
    pub(super) fn look_for_room(&self) {
        let lacking = self.shared.lack.lacking();
        if lacking.bodies {
            self.look_for_room_for_bodies();
        }
        if lacking.changes && self.has_room() {
            self.reserve.restore();
            self.shared.lack.clear();
        }
    }

    /// The same for bodies, to which pages in the database are none.
    fn look_for_room_for_bodies(&self) {
        if self.reserve.has_more() {
            self.shared.lack.clear_bodies();
        }
    }

    /// Whether there is room on the disk, or in the database.
    fn has_room(&self) -> bool {
        let unused = || {
            let mut count = self.conn.prepare_cached("PRAGMA freelist_count")?;
            count.query_row((), |row| row.get::<_, u32>(0))
        };
        self.reserve.has_more() || unused().is_ok_and(|pages| u64::from(pages) * PAGE >= BYTES)
    }
}

/// What makes room, and what needs some.
fn parted(batch: Vec<Handed>) -> (Vec<Handed>, Vec<Handed>) {
    let frees = |handed: &Handed| handed.change.makes_room();
    batch.into_iter().partition(frees)
}
