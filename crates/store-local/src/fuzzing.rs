//! Entries for the fuzzer to the decoders of stored bytes, which are private otherwise.
//!
//! A checksum keeps chance away from what is behind it, so each decoder can also be given fields
//! that are sealed here as the program itself would have.

use std::fs::File;
use std::io;
use std::path::Path;

use raincheck_core::id::JobId;
use raincheck_core::key::{Fingerprint, KeyDigest};
use raincheck_store::{BodyId, KeyEntry};

use crate::body::frame;
use crate::log;
use crate::row::{self, Kind};

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "named as the tables")]
pub enum Record {
    Job,
    Request,
    Response,
    Key,
}

impl Record {
    fn kind(self) -> Kind {
        match self {
            Self::Job => Kind::Job,
            Self::Request => Kind::Request,
            Self::Response => Kind::Response,
            Self::Key => Kind::Key,
        }
    }
}

/// Ends fields, which begin with their version, with the right checksum.
pub fn sealed(record: Record, id: JobId, fields: &[u8]) -> Vec<u8> {
    if let (Record::Key, Some((digest, asked))) = (record, fields.split_first_chunk()) {
        // Not a record: the digest and what was asked, which have no version.
        let mut fingerprint = [0; 16];
        fingerprint
            .iter_mut()
            .zip(asked)
            .for_each(|(to, from)| *to = *from);
        let fingerprint = Fingerprint(fingerprint);
        let entry = KeyEntry {
            job: id,
            fingerprint,
        };
        return row::key::encode(KeyDigest(*digest), &entry).to_vec();
    }
    row::sealed(record.kind(), id.as_bytes(), fields.to_vec())
}

/// Reads a record and writes it again; none: it is refused.
pub fn again(record: Record, id: JobId, bytes: &[u8]) -> Option<Vec<u8>> {
    match record {
        Record::Job => {
            let job = row::job::decode(id, bytes).ok()?;
            Some(row::job::encode(&job))
        }
        Record::Request => {
            let request = row::request::decode(id, bytes.to_vec()).ok()?;
            Some(row::request::encode(id, &request))
        }
        Record::Response => {
            let response = row::response::decode(id, bytes.to_vec()).ok()?;
            Some(row::response::encode(id, &response))
        }
        Record::Key => {
            let (digest, entry) = row::key::decode(id, bytes).ok()?;
            Some(row::key::encode(digest, &entry).to_vec())
        }
    }
}

/// Writes a body of these bytes, as an answer that comes in frames would be.
///
/// # Errors
/// The file cannot be written.
pub fn write_body(file: &File, id: BodyId, bytes: &[u8]) -> io::Result<()> {
    frame::write_header(file, id)?;
    for (index, payload) in (0..).zip(bytes.chunks(raincheck_core::limits::SEGMENT_FRAME_BYTES)) {
        frame::write(file, id, index, &[bytes::Bytes::copy_from_slice(payload)])?;
    }
    Ok(())
}

/// Reads a body of `len` bytes from its file: its frames up to the first that is refused.
pub fn read_body(file: &File, id: BodyId, len: u64) -> Vec<u8> {
    let mut read = Vec::new();
    if frame::check_header(file, id).is_err() {
        return read;
    }
    for index in 0..len.div_ceil(frame::PAYLOAD) {
        match frame::read(file, id, index, frame::payload_len(index, len)) {
            Ok(payload) => read.extend_from_slice(&payload),
            Err(_) => break,
        }
    }
    read
}

/// Looks through a log: the byte at which it is damaged in the middle, if it is.
///
/// # Errors
/// The file cannot be read.
pub fn log(path: &Path) -> io::Result<Option<u64>> {
    Ok(log::check(path)?.map(|damage| damage.at))
}
