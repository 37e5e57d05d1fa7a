//! How a record is written: a version byte, the fields, and a checksum over kind, key and fields.
//!
//! The engine below does not notice a flipped bit, so every record carries its own checksum. The
//! key and the kind are in it, so that a record that turns up under another key is noticed too.
//! Kinds and versions are numbered and never reused.

pub mod body;
mod callback;
pub mod headers;
pub mod job;
pub mod key;
pub mod request;
pub mod response;
mod wire;

#[cfg(test)]
pub mod arbitrary;

pub use wire::Wrong;

/// What a record is of. The numbers are stored (inside the checksum); never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A job.
    Job = 1,
    /// A request.
    Request = 2,
    /// A response.
    Response = 3,
    /// A key.
    Key = 4,
}

/// Bytes of the checksum at a record's end.
const CHECKSUM: usize = 4;

/// A record is damaged, or of a version this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Too short to be a record.
    #[error("it is cut off")]
    Short,
    /// The checksum is another one.
    #[error("its checksum does not match")]
    Checksum,
    /// The checksum matches but the version is unknown.
    #[error("its version {0} is not known")]
    Version(u8),
    /// The checksum matches but the fields make no sense.
    #[error("{0}")]
    Wrong(#[from] Wrong),
    /// The columns beside the record tell another story.
    #[error("its columns and its record differ")]
    Columns,
}

fn checksum(kind: Kind, key: &[u8; 16], record: &[u8]) -> u32 {
    let seeded = crc32c::crc32c_append(crc32c::crc32c(&[kind as u8]), key);
    crc32c::crc32c_append(seeded, record)
}

/// Ends a record: `record` is the version byte and the fields.
pub fn sealed(kind: Kind, key: &[u8; 16], mut record: Vec<u8>) -> Vec<u8> {
    let sum = checksum(kind, key, &record);
    record.extend_from_slice(&sum.to_le_bytes());
    record
}

/// Checks a record and gives its version and its fields.
fn unsealed<'a>(kind: Kind, key: &[u8; 16], record: &'a [u8]) -> Result<(u8, &'a [u8]), Damage> {
    let (rest, sum) = record.split_last_chunk::<CHECKSUM>().ok_or(Damage::Short)?;
    if checksum(kind, key, rest) != u32::from_le_bytes(*sum) {
        return Err(Damage::Checksum);
    }
    let (version, fields) = rest.split_first().ok_or(Damage::Short)?;
    Ok((*version, fields))
}
