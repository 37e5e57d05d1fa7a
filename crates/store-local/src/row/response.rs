//! A response's record.

use bytes::Bytes;
use raincheck_core::head::ResponseHead;
use raincheck_core::id::JobId;
use raincheck_store::{Body, StoredResponse};

use super::wire::{Reader, Wrong, put_bytes, put_number};
use super::{Damage, Kind, body, headers, sealed, unsealed};

const VERSION: u8 = 1;

/// The record of a job's response.
pub fn encode(id: JobId, response: &StoredResponse) -> Vec<u8> {
    let inline = match &response.body {
        Body::Inline(bytes) => bytes.len(),
        Body::File { .. } => 0,
    };
    let mut out = Vec::with_capacity(inline + 512);
    out.push(VERSION);
    put_number(&mut out, u64::from(response.attempt));
    put_number(&mut out, u64::from(response.head.status));
    match &response.head.reason {
        None => out.push(0),
        Some(reason) => {
            out.push(1);
            put_bytes(&mut out, reason);
        }
    }
    headers::put(&mut out, &response.head.headers);
    headers::put(&mut out, &response.trailers);
    body::put(&mut out, &response.body);
    sealed(Kind::Response, id.as_bytes(), out)
}

/// The response of a record.
pub fn decode(id: JobId, record: Vec<u8>) -> Result<StoredResponse, Damage> {
    let record = Bytes::from(record);
    let (version, fields) = unsealed(Kind::Response, id.as_bytes(), &record)?;
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let fields = record.slice_ref(fields);
    let mut reader = Reader::new(&fields);
    let attempt = reader.small("attempt")?;
    let status = reader.small("status")?;
    let reason = match reader.byte("reason")? {
        0 => None,
        1 => Some(Bytes::copy_from_slice(reader.bytes("reason")?)),
        _ => return Err(Wrong("reason").into()),
    };
    let headers = headers::get(&mut reader)?;
    let trailers = headers::get(&mut reader)?;
    let body = body::get(&mut reader, &fields)?;
    reader.end()?;
    Ok(StoredResponse {
        head: ResponseHead {
            status,
            reason,
            headers,
        },
        body,
        trailers,
        attempt,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    proptest! {
        #[test]
        fn comes_back(id in arbitrary::job_id(), response in arbitrary::response()) {
            prop_assert_eq!(decode(id, encode(id, &response)), Ok(response));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            id in arbitrary::job_id(),
            response in arbitrary::response(),
            at: proptest::sample::Index,
            bit in 0..8_u8,
        ) {
            let mut record = encode(id, &response);
            let at = at.index(record.len());
            record[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(id, record), Err(Damage::Checksum));
        }

        #[test]
        fn any_fields_are_read_without_a_panic(id in arbitrary::job_id(), mut fields: Vec<u8>) {
            fields.insert(0, VERSION);
            let _ = decode(id, sealed(Kind::Response, id.as_bytes(), fields));
        }
    }
}
