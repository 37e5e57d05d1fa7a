//! A body file's bytes: a header, then frames. Every frame but the last is full, so that the place
//! of any byte follows from its offset.
//!
//! ```text
//! header  magic "RCBODY" 0 version(1)   body id (16)   0 0 0 0   crc32c of the 28 bytes before
//! frame   payload length (u32)   crc32c over id, index (u64) and payload   payload
//! ```
//! Numbers are little-endian, the id is big-endian.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use raincheck_core::limits::SEGMENT_FRAME_BYTES;
use raincheck_store::BodyId;

/// Bytes of payload in every frame but the last.
pub(crate) const PAYLOAD: u64 = SEGMENT_FRAME_BYTES as u64;
const HEADER: u64 = 32;
const PREFIX: u64 = 8;
const MAGIC: [u8; 8] = *b"RCBODY\0\x01";

/// A file is not what it must be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("its header is not that of this body")]
    Header,
    #[error("the frame at byte {at} does not match its checksum")]
    Frame { at: u64 },
    #[error("it is cut off at byte {at}")]
    Short { at: u64 },
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl Damage {
    /// Where in the file it is, if that can be told.
    pub(crate) fn at(&self) -> Option<u64> {
        match self {
            Self::Frame { at } | Self::Short { at } => Some(*at),
            Self::Header | Self::Io(_) => None,
        }
    }
}

/// Where a frame begins.
pub(crate) fn offset_of(index: u64) -> u64 {
    HEADER + index * (PREFIX + PAYLOAD)
}

/// How long the file of a body of `len` bytes is.
pub(crate) fn file_len(len: u64) -> u64 {
    let rest = match len % PAYLOAD {
        0 => 0,
        rest => PREFIX + rest,
    };
    offset_of(len / PAYLOAD).saturating_add(rest)
}

/// The payload bytes of frame `index` of a body of which `len` bytes are in the file.
pub(crate) fn payload_len(index: u64, len: u64) -> usize {
    let left = len.saturating_sub(index.saturating_mul(PAYLOAD));
    usize::try_from(left.min(PAYLOAD)).unwrap_or(SEGMENT_FRAME_BYTES)
}

/// Writes the header of a new file.
pub(crate) fn write_header(file: &File, id: BodyId) -> io::Result<()> {
    file.write_all_at(&header(id), 0)
}

fn header(id: BodyId) -> [u8; 32] {
    let mut header = [0; 32];
    let (magic, rest) = header.split_at_mut(8);
    magic.copy_from_slice(&MAGIC);
    rest[..16].copy_from_slice(&id.0.to_be_bytes());
    let sum = crc32c::crc32c(&header[..28]);
    header[28..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Checks the header of a file.
pub(crate) fn check_header(file: &File, id: BodyId) -> Result<(), Damage> {
    let mut found = [0; 32];
    file.read_exact_at(&mut found, 0).map_err(short(0))?;
    if found == header(id) {
        Ok(())
    } else {
        Err(Damage::Header)
    }
}

/// Writes one frame, whose payload comes in pieces. Writing the same frame again is harmless.
pub(crate) fn write(file: &File, id: BodyId, index: u64, payload: &[Bytes]) -> io::Result<()> {
    let len: usize = payload.iter().map(Bytes::len).sum();
    let mut sum = seed(id, index);
    for piece in payload {
        sum = crc32c::crc32c_append(sum, piece);
    }
    let mut prefix = [0; PREFIX as usize];
    // A payload is at most SEGMENT_FRAME_BYTES, which is far below what a u32 holds.
    prefix[..4].copy_from_slice(&(len as u32).to_le_bytes());
    prefix[4..].copy_from_slice(&sum.to_le_bytes());
    let mut slices = Vec::with_capacity(payload.len() + 1);
    slices.push(IoSlice::new(&prefix));
    slices.extend(payload.iter().map(|piece| IoSlice::new(piece)));
    write_all(file, &mut slices, offset_of(index))
}

fn write_all(file: &File, mut slices: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
    /// What Linux takes in one call (UIO_MAXIOV).
    const SLICES: usize = 1024;
    while !slices.is_empty() {
        let count = slices.len().min(SLICES);
        match rustix::io::pwritev(file, &slices[..count], at) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reads and checks frame `index`, which has `len` bytes of payload.
pub(crate) fn read(file: &File, id: BodyId, index: u64, len: usize) -> Result<Bytes, Damage> {
    let at = offset_of(index);
    let mut frame = vec![0; PREFIX as usize + len];
    file.read_exact_at(&mut frame, at).map_err(short(at))?;
    let (prefix, payload) = frame.split_at(PREFIX as usize);
    let mut expected = [0; PREFIX as usize];
    expected[..4].copy_from_slice(&(len as u32).to_le_bytes());
    let sum = crc32c::crc32c_append(seed(id, index), payload);
    expected[4..].copy_from_slice(&sum.to_le_bytes());
    if prefix != expected {
        return Err(Damage::Frame { at });
    }
    Ok(Bytes::from(frame).slice(PREFIX as usize..))
}

fn seed(id: BodyId, index: u64) -> u32 {
    let sum = crc32c::crc32c(&id.0.to_be_bytes());
    crc32c::crc32c_append(sum, &index.to_le_bytes())
}

fn short(at: u64) -> impl FnOnce(io::Error) -> Damage {
    move |error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Damage::Short { at },
        _ => Damage::Io(error),
    }
}
