//! Bodies as they are written into a request's or a response's record: the bytes themselves or
//! the name of a file.

use bytes::Bytes;
use raincheck_store::{Body, BodyId};

use super::wire::{Reader, Wrong, put_bytes, put_number};

const INLINE: u8 = 0;
const FILE: u8 = 1;

/// Appends a body.
pub fn put(out: &mut Vec<u8>, body: &Body) {
    match body {
        Body::Inline(bytes) => {
            out.push(INLINE);
            put_bytes(out, bytes);
        }
        Body::File { id, len } => {
            out.push(FILE);
            out.extend_from_slice(&id.0.to_be_bytes());
            put_number(out, *len);
        }
    }
}

/// Reads a body. Its bytes share `fields`, which is what `reader` reads.
pub fn get(reader: &mut Reader<'_>, fields: &Bytes) -> Result<Body, Wrong> {
    match reader.byte("body kind")? {
        INLINE => {
            let bytes = reader.bytes("body")?;
            let end = reader.position();
            Ok(Body::Inline(fields.slice(end - bytes.len()..end)))
        }
        FILE => Ok(Body::File {
            id: BodyId(u128::from_be_bytes(reader.sixteen("body id")?)),
            len: reader.number("body length")?,
        }),
        _ => Err(Wrong("body kind")),
    }
}

/// The file a body is in.
pub fn file_of(body: &Body) -> Option<BodyId> {
    match body {
        Body::Inline(_) => None,
        Body::File { id, .. } => Some(*id),
    }
}
