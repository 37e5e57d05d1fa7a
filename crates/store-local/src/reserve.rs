//! Room that is kept for making room: on a full disk jobs must still be forgotten and cancelled.
//!
//! Every change needs some room in the log before it frees any. So a file holds on to a little, and
//! gives it up when a change fails for want of room; from then on, until there is room again, only
//! changes that make room are written. What they need is then mostly in the log's own file, which
//! starts over once its pages were moved.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};

use crate::{files, room};

/// Bytes that are kept.
pub(crate) const BYTES: u64 = 1 << 20;
/// Bytes that must be free to keep them, or to say that there is room again.
pub(crate) const FREE_MIN: u64 = 2 * BYTES;

/// The file that holds on to room. It is deleted when this is dropped.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// Keeps room at `path`, if there is enough of it.
    pub(crate) fn at(path: PathBuf) -> Self {
        let reserve = Self { path };
        reserve.restore();
        reserve
    }

    /// Whether the disk has room beyond what is kept.
    pub(crate) fn has_more(&self) -> bool {
        room::has(&self.path, FREE_MIN)
    }

    /// Keeps room again, if there is enough of it. Without, or where the file system cannot, there
    /// is no reserve, and nothing else is amiss.
    pub(crate) fn restore(&self) {
        if self.path.exists() || !self.has_more() {
            return;
        }
        let kept = files::private(&self.path)
            .and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, BYTES)?));
        if kept.is_err() {
            self.release();
        }
    }

    /// Gives up what is kept; false: it was given up already.
    pub(crate) fn release(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.release();
    }
}

/// What a process that died has kept.
pub(crate) fn give_up(path: &Path) {
    // A file that cannot be deleted is no hindrance: it is still there for the next change.
    _ = files::remove(path);
}
