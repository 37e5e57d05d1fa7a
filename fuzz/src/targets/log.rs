//! The log that a process which did not end well has left behind: a cut is a torn tail wherever it
//! is, and damage is found where it is or not at all.

use std::io::{Seek, Write};
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Unstructured};
use raincheck_store_local::fuzzing::log;
use tempfile::NamedTempFile;

#[derive(Debug, Arbitrary)]
enum Input {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// A log as the engine writes it.
    Log {
        salts: [u8; 8],
        /// Frames of each transaction, and what is in their pages.
        transactions: Vec<(u8, u8)>,
        cut: Option<u16>,
        damage: Vec<(u16, u8)>,
        /// Whether damage in the header is made good again by its checksum.
        seal: bool,
    },
}

const HEADER: usize = 32;
const PAGE: usize = 512;
const FRAME: usize = 24 + PAGE;

static FILE: LazyLock<NamedTempFile> =
    LazyLock::new(|| NamedTempFile::new_in(crate::files()).unwrap());

/// A log.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    match input {
        Input::Bytes(bytes) => {
            look(&bytes);
        }
        Input::Log {
            salts,
            transactions,
            cut,
            damage,
            seal,
        } => {
            let mut log = write(salts, &transactions);
            let hits: Vec<_> = damage
                .iter()
                .map(|(at, bits)| (usize::from(*at) % log.len(), *bits))
                .filter(|(_, bits)| *bits != 0)
                .collect();
            hits.iter().for_each(|(at, bits)| log[*at] ^= bits);
            if seal {
                let sums = checksum((0, 0), &log[..24]);
                put(&mut log[24..], [sums.0, sums.1]);
            }
            log.truncate(cut.map_or(log.len(), |cut| usize::from(cut) % (log.len() + 1)));
            check(look(&log), &hits);
        }
    }
}

fn check(found: Option<u64>, hits: &[(usize, u8)]) {
    let Some(at) = found else { return };
    let first = hits.iter().map(|(at, _)| *at).min();
    let first = first.expect("damage where there is none");
    let frame = |at: usize| HEADER + (at - HEADER) / FRAME * FRAME;
    let begins = if first < HEADER { 0 } else { frame(first) };
    assert!(at >= begins as u64, "damage at {at}, before {begins}");
}

fn look(bytes: &[u8]) -> Option<u64> {
    let mut file = FILE.as_file();
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    file.write_all(bytes).unwrap();
    let found = log(FILE.path()).unwrap();
    assert!(
        found.is_none_or(|at| at < bytes.len() as u64),
        "behind the end"
    );
    found
}

fn write(salts: [u8; 8], transactions: &[(u8, u8)]) -> Vec<u8> {
    let mut log = vec![0; HEADER];
    put(&mut log, [0x377f_0682, 3_007_000, PAGE as u32, 1]);
    log[16..24].copy_from_slice(&salts);
    let mut sums = checksum((0, 0), &log[..24]);
    put(&mut log[24..], [sums.0, sums.1]);
    for (frames, fill) in transactions.iter().take(8) {
        let frames = u32::from(frames % 4);
        for number in 0..=frames {
            let mut frame = vec![*fill; FRAME];
            let committed = if number == frames { 9 } else { 0 };
            put(&mut frame, [number + 1, committed]);
            frame[8..16].copy_from_slice(&salts);
            sums = checksum(checksum(sums, &frame[..8]), &frame[24..]);
            put(&mut frame[16..], [sums.0, sums.1]);
            log.extend(frame);
        }
    }
    log
}

fn put<const N: usize>(bytes: &mut [u8], words: [u32; N]) {
    for (at, word) in words.iter().enumerate() {
        bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_be_bytes());
    }
}

/// As the engine's documentation has it, for a magic number whose lowest bit is clear.
fn checksum((mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |at: usize| {
        let word: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        u32::from_le_bytes(word)
    };
    for at in (0..bytes.len()).step_by(8) {
        a = a.wrapping_add(word(at)).wrapping_add(b);
        b = b.wrapping_add(word(at + 4)).wrapping_add(a);
    }
    (a, b)
}
