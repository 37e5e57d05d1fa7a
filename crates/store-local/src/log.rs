//! Looks at the log that a process which did not end well has left behind, before the engine does.
//!
//! The engine reads the log up to the first frame that does not match its checksum and takes that
//! for the end. That is right for a tail torn by a power cut. It is wrong for a flipped bit in the
//! middle: acknowledged changes behind it would be dropped without a word. The two can be told
//! apart: each transaction was synced before the next began, so only the last one may be torn.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
const VERSION: u32 = 3_007_000;
/// The lowest bit tells the byte order of the checksums.
const MAGIC: u32 = 0x377f_0682;

/// A log that is damaged before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The byte at which the first frame that cannot be read begins.
    pub(crate) at: u64,
    /// Transactions behind it, which the engine would drop.
    pub(crate) lost: u64,
}

/// Looks for damage in the middle of the log; a log that is missing has none.
pub(crate) fn check(path: &Path) -> io::Result<Option<Damage>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut header = [0; HEADER];
    if !fill(&mut reader, &mut header)? || header == [0; HEADER] {
        return Ok(None);
    }
    let Some(log) = Log::of_header(&header) else {
        let frames = !reader.fill_buf()?.is_empty();
        return Ok(frames.then_some(Damage { at: 0, lost: 1 }));
    };
    log.walk(&mut reader)
}

/// Fills the buffer; false: the file ends before.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match reader.read_exact(buffer) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        other => other.map(|()| true),
    }
}

/// A log's header, as far as its frames depend on it.
struct Log {
    page_size: usize,
    salts: [u8; 8],
    big_endian: bool,
    sums: (u32, u32),
}

impl Log {
    fn of_header(header: &[u8; HEADER]) -> Option<Self> {
        let word = |at| word(header, at);
        let magic = word(0);
        let big_endian = magic & 1 == 1;
        let sums = checksum((0, 0), &header[..24], big_endian);
        let page_size = word(8) as usize;
        let known = magic & !1 == MAGIC && word(4) == VERSION && is_page_size(page_size);
        if !known || sums != (word(24), word(28)) {
            return None;
        }
        let mut salts = [0; 8];
        salts.copy_from_slice(&header[16..24]);
        Some(Self {
            page_size,
            salts,
            big_endian,
            sums,
        })
    }

    fn walk(mut self, reader: &mut impl Read) -> io::Result<Option<Damage>> {
        let mut frame = vec![0; FRAME_HEADER + self.page_size];
        let mut at = HEADER as u64;
        let mut behind: Option<Behind> = None;
        while fill(reader, &mut frame)? {
            match &mut behind {
                None if self.is_ours(&frame) && self.accept(&frame) => {}
                None => behind = Some(self.stop(at, &frame)),
                Some(behind) => self.go_on(behind, &frame),
            }
            at += frame.len() as u64;
        }
        let damage = behind.map(|behind| behind.damage);
        Ok(damage.filter(|damage| damage.lost > 0))
    }

    fn is_ours(&self, frame: &[u8]) -> bool {
        frame[8..16] == self.salts && word(frame, 0) != 0
    }

    /// The first frame that cannot be read. What it should say of itself follows from those before
    /// it, in case that just this is what is damaged.
    fn stop(&self, at: u64, frame: &[u8]) -> Behind {
        Behind {
            damage: Damage { at, lost: 0 },
            ends: is_commit(frame),
            sums: [stored(frame), self.sums_of(self.sums, frame)],
        }
    }

    /// A frame behind it. If it continues the one before, and that one ended a transaction, then
    /// that transaction was synced.
    ///
    /// Whatever else is there is left from transactions that came to nothing, in this life or an
    /// earlier one, and were written over in part: frames of this log, ends of transactions among
    /// them, but none that continues such an end.
    fn go_on(&self, behind: &mut Behind, frame: &[u8]) {
        let ours = self.is_ours(frame);
        let continues = |sums| self.sums_of(sums, frame) == stored(frame);
        if ours && behind.ends && behind.sums.into_iter().any(continues) {
            behind.damage.lost += 1;
        }
        behind.ends = ours && is_commit(frame);
        behind.sums = [stored(frame); 2];
    }

    fn sums_of(&self, sums: (u32, u32), frame: &[u8]) -> (u32, u32) {
        let sums = checksum(sums, &frame[..8], self.big_endian);
        checksum(sums, &frame[FRAME_HEADER..], self.big_endian)
    }

    /// Whether the frame continues the chain of checksums.
    fn accept(&mut self, frame: &[u8]) -> bool {
        let sums = self.sums_of(self.sums, frame);
        let accepted = sums == stored(frame);
        if accepted {
            self.sums = sums;
        }
        accepted
    }
}

/// The checksums that a frame says it has.
fn stored(frame: &[u8]) -> (u32, u32) {
    (word(frame, 16), word(frame, 20))
}

/// Whether a frame ends a transaction.
fn is_commit(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

/// What is known of the frames behind the first that cannot be read.
struct Behind {
    damage: Damage,
    /// Whether the frame before ends a transaction.
    ends: bool,
    /// The checksums that a frame continues if it continues the one before.
    sums: [(u32, u32); 2],
}

/// Sizes that the engine knows. Any other would have us ask for gigabytes.
fn is_page_size(size: usize) -> bool {
    size.is_power_of_two() && (512..=65536).contains(&size)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_be_bytes(word)
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], big_endian: bool) -> (u32, u32) {
    let turn = |word: u32| if big_endian { word } else { word.swap_bytes() };
    for pair in bytes.as_chunks::<8>().0 {
        a = a.wrapping_add(turn(word(pair, 0))).wrapping_add(b);
        b = b.wrapping_add(turn(word(pair, 4))).wrapping_add(a);
    }
    (a, b)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;

    const FRAME: usize = FRAME_HEADER + 4096;

    /// The log of six transactions.
    fn log(dir: &Path) -> Vec<u8> {
        let path = dir.join("a.db");
        let conn = Connection::open(&path).unwrap();
        conn.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (a)")
            .unwrap();
        for number in 0..5 {
            conn.execute("INSERT INTO t VALUES (?1)", (number,))
                .unwrap();
        }
        fs::read(dir.join("a.db-wal")).unwrap()
    }

    fn checked(dir: &Path, log: &[u8]) -> Option<Damage> {
        let path = dir.join("log");
        fs::write(&path, log).unwrap();
        check(&path).unwrap()
    }

    #[test]
    fn a_missing_an_empty_and_a_whole_log_are_fine() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        assert_eq!(check(&dir.path().join("none")).unwrap(), None);
        assert_eq!(checked(dir.path(), &[]), None);
        assert_eq!(checked(dir.path(), &[0; 5000]), None);
        assert_eq!(checked(dir.path(), &log), None);
    }

    #[test]
    fn a_torn_tail_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        for cut in 1..=FRAME {
            if cut % 97 == 0 {
                assert_eq!(checked(dir.path(), &log[..log.len() - cut]), None);
            }
        }
        let mut torn = log;
        let at = torn.len() - 100;
        torn[at] ^= 1;
        assert_eq!(checked(dir.path(), &torn), None);
    }

    #[test]
    fn a_flipped_bit_before_the_last_transaction_is_found_wherever_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        let frames = (log.len() - HEADER) / FRAME;
        // Every byte of a frame's header, and some of its page.
        let looked_at = |at: &usize| (at - HEADER) % FRAME < FRAME_HEADER || at.is_multiple_of(97);
        for at in (HEADER..HEADER + (frames - 1) * FRAME).filter(looked_at) {
            let mut damaged = log.clone();
            damaged[at] ^= 4;
            let frame = (at - HEADER) / FRAME;
            let found = checked(dir.path(), &damaged).map(|damage| damage.at);
            let expected = HEADER + frame * FRAME;
            assert_eq!(found, Some(expected as u64), "byte {at}");
        }
    }

    /// Overwrites the log from a frame on with frames from elsewhere.
    fn written_over(log: &[u8], frame: usize, by: &[u8]) -> Vec<u8> {
        let at = HEADER + frame * FRAME;
        let mut log = log.to_vec();
        log[at..at + by.len()].copy_from_slice(by);
        log
    }

    #[test]
    fn what_is_left_of_transactions_that_came_to_nothing_is_no_damage() {
        let dir = tempfile::tempdir().unwrap();
        let log = log(dir.path());
        let frames = (log.len() - HEADER) / FRAME;
        let frame = |number: usize| log[HEADER + number * FRAME..][..FRAME].to_vec();
        // The end of a transaction of which only the header was written, and behind it frames of an
        // earlier one that was longer: what several deaths leave in one log.
        let mut torn = frame(frames - 3);
        torn[FRAME_HEADER..].fill(7);
        assert_eq!(
            checked(dir.path(), &written_over(&log, frames - 2, &torn)),
            None
        );
        // A whole one in a place of another.
        let other = [frame(frames - 1), frame(frames - 3)].concat();
        assert_eq!(
            checked(dir.path(), &written_over(&log, frames - 2, &other)),
            None
        );
        // What an earlier log left, which began with other salts.
        let mut old = log[HEADER + 2 * FRAME..].to_vec();
        old.chunks_mut(FRAME).for_each(|frame| frame[8] ^= 1);
        assert_eq!(checked(dir.path(), &written_over(&log, 2, &old)), None);
    }

    #[test]
    fn a_damaged_header_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for at in 0..HEADER {
            let mut log = log(&tempfile::tempdir_in(dir.path()).unwrap().keep());
            log[at] ^= 1;
            assert_eq!(checked(dir.path(), &log).map(|damage| damage.at), Some(0));
        }
    }
}
