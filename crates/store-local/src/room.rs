//! Room on the disk for what must never lack it: the engine's index of the log.
//!
//! The engine maps the index (`jobs.db-shm`) into memory, and a write to a mapped page for which the
//! disk has no block kills the process (SIGBUS). The engine means to prevent that by writing one byte
//! to each 4096 when it makes the file, which on a disk of smaller blocks leaves holes. So a data
//! directory is only opened while there is clearly room for the index, and right afterwards all of
//! it is given its blocks.
//!
//! The index is emptied by whoever opens it first, so nothing can be given to it before that.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::Errno;

use crate::error::OpenError;
use crate::files::Layout;

/// Bytes that must be free to open a data directory, besides those for the index of a long log.
const FREE_MIN: u64 = 1 << 20;
/// Bytes of log for one byte of its index: eight for a page of 4096.
const LOG_PER_INDEX: u64 = 512;
/// Bytes that the index is given at least: enough for a log of 128 MiB, which is twice what is kept.
const INDEX: u64 = 256 << 10;
/// With fewer bytes free than this a failure that does not say its cause is one for want of room: it
/// is twice what the index grows by.
const NOTHING: u64 = 64 << 10;

/// What a file system has left.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// Bytes; none: it does not say.
    bytes: Option<u64>,
    /// Files; none: it does not say.
    files: Option<u64>,
}

impl Left {
    /// What the file system of `path` has left.
    fn of(path: &Path) -> io::Result<Self> {
        let stat = statvfs(path)?;
        Ok(Self {
            bytes: (stat.f_blocks > 0).then(|| stat.f_bavail.saturating_mul(stat.f_frsize)),
            files: (stat.f_files > 0).then_some(stat.f_favail),
        })
    }

    fn has(self, bytes: u64) -> bool {
        self.bytes.is_none_or(|left| left >= bytes)
    }

    fn is_nothing(self) -> bool {
        !self.has(NOTHING) || self.files == Some(0)
    }
}

/// Refuses a data directory on whose disk there might not be room for the index of its log.
pub(crate) fn check(layout: &Layout) -> Result<(), OpenError> {
    let root = layout.root();
    let left = Left::of(root).map_err(|error| OpenError::of_io(root, &error))?;
    let log = fs::metadata(layout.log()).map_or(0, |metadata| metadata.len());
    if left.has(needed(log)) {
        return Ok(());
    }
    Err(OpenError::Full {
        path: root.to_owned(),
    })
}

/// The same for one that may be served meanwhile: then the index has its room already.
pub(crate) fn check_beside(layout: &Layout) -> Result<(), OpenError> {
    let given = |index: fs::Metadata| index.len() >= INDEX && index.blocks() * 512 >= index.len();
    match fs::metadata(layout.index()).is_ok_and(given) {
        true => Ok(()),
        false => check(layout),
    }
}

/// Bytes that must be free to open a directory whose log has this many.
fn needed(log: u64) -> u64 {
    FREE_MIN + log / LOG_PER_INDEX
}

/// Whether the disk on which the file `path` is, or should be, has nothing left.
pub(crate) fn is_out(path: &Path) -> bool {
    let dir = path.parent().unwrap_or(path);
    Left::of(dir).is_ok_and(Left::is_nothing)
}

/// Bytes left on the disk on which the file `path` is, or should be: none where it can have no
/// further file, and any number where it does not say.
pub(crate) fn free(path: &Path) -> u64 {
    let dir = path.parent().unwrap_or(path);
    match Left::of(dir) {
        Ok(left) if left.files == Some(0) => 0,
        Ok(left) => left.bytes.unwrap_or(u64::MAX),
        Err(_) => u64::MAX,
    }
}

/// Whether the disk on which the file `path` is, or should be, has so many bytes left.
pub(crate) fn has(path: &Path, bytes: u64) -> bool {
    let dir = path.parent().unwrap_or(path);
    Left::of(dir).is_ok_and(|left| left.has(bytes) && left.files != Some(0))
}

/// Gives every byte of an index that the engine has open its block on the disk.
///
/// The file must stay open for as long as any connection of this process: closing it would let go
/// of the engine's locks on it, which belong to the process and the file.
pub(crate) fn reserve(index: &File) -> io::Result<()> {
    let len = index.metadata()?.len().max(INDEX);
    match fallocate(index, FallocateFlags::empty(), 0, len) {
        // Some file systems cannot; what the engine does must do there.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(bytes: u64, files: u64) -> Left {
        Left {
            bytes: Some(bytes),
            files: Some(files),
        }
    }

    #[test]
    fn a_long_log_needs_room_for_its_index() {
        assert!(left(FREE_MIN, 1).has(needed(0)));
        assert!(!left(FREE_MIN - 1, 1).has(needed(0)));
        assert!(!left(FREE_MIN, 1).has(needed(64 << 20)));
        assert!(left(FREE_MIN + (128 << 10), 1).has(needed(64 << 20)));
    }

    #[test]
    fn a_disk_without_files_or_bytes_left_has_nothing() {
        assert!(left(0, 100).is_nothing());
        assert!(left(1 << 30, 0).is_nothing());
        assert!(!left(1 << 30, 1).is_nothing());
    }

    #[test]
    fn a_file_system_that_does_not_say_is_believed_to_have_room() {
        let silent = Left {
            bytes: None,
            files: None,
        };
        assert!(silent.has(u64::MAX));
        assert!(!silent.is_nothing());
    }

    #[test]
    fn an_index_has_all_its_blocks_and_keeps_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        fs::write(&path, "abc").unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        reserve(&file).unwrap();
        let metadata = file.metadata().unwrap();
        // A file system that cannot do it leaves the file as it is.
        assert!(metadata.len() == 3 || metadata.blocks() * 512 >= INDEX);
        assert_eq!(&fs::read(&path).unwrap()[..3], b"abc");
    }
}
