//! Where in a file a damaged record is: the database, or its log if it has not been moved yet.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::files::Layout;

/// Bytes read at a time.
const PIECE: usize = 1 << 20;
/// A longer record lies in several pages; its last bytes, with the checksum, are looked for.
const IN_ONE_PAGE: usize = 3500;
/// Bytes of those.
const TAIL: usize = 48;

/// The file, as seen from the data directory, and the byte at which the record, or of a long one its
/// end, begins.
pub(super) fn locate(layout: &Layout, record: &[u8]) -> Option<(String, u64)> {
    let needle = match record.len() {
        0 => return None,
        1..=IN_ONE_PAGE => record,
        len => record.get(len - TAIL..)?,
    };
    // What is in the log is newer.
    [layout.log(), layout.database()].iter().find_map(|path| {
        let at = find(path, needle).ok().flatten()?;
        let name = path.strip_prefix(layout.root()).unwrap_or(path);
        Some((name.display().to_string(), at))
    })
}

fn find(path: &Path, needle: &[u8]) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut window = Vec::new();
    let mut start = 0;
    loop {
        let had = window.len();
        let read = file.by_ref().take(PIECE as u64).read_to_end(&mut window)?;
        if let Some(at) = memchr::memmem::find(&window, needle) {
            return Ok(Some(start + at as u64));
        }
        if read == 0 {
            return Ok(None);
        }
        let kept = needle.len().saturating_sub(1).min(had + read);
        start += (window.len() - kept) as u64;
        window.drain(..window.len() - kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_is_found_across_the_pieces_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        for at in [0, 1, PIECE - 2, PIECE, 2 * PIECE - 1, 2 * PIECE + 7] {
            let mut bytes = vec![0; 2 * PIECE + 10];
            bytes[at..at + 3].copy_from_slice(b"abc");
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(find(&path, b"abc").unwrap(), Some(at as u64));
            assert_eq!(find(&path, b"abd").unwrap(), None);
        }
    }
}
