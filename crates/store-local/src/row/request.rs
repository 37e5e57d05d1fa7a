//! A request's record.

use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_store::{Body, StoredRequest};

use super::wire::{Reader, Wrong, put_bytes};
use super::{Damage, Kind, body, headers, sealed, unsealed};

const VERSION: u8 = 1;

/// The record of a job's request.
pub fn encode(id: JobId, request: &StoredRequest) -> Vec<u8> {
    let inline = match &request.body {
        Body::Inline(bytes) => bytes.len(),
        Body::File { .. } => 0,
    };
    let mut out = Vec::with_capacity(inline + 512);
    out.push(VERSION);
    put_bytes(&mut out, request.head.method.as_str().as_bytes());
    put_bytes(&mut out, request.head.target.as_str().as_bytes());
    headers::put(&mut out, &request.head.headers);
    headers::put(&mut out, &request.trailers);
    body::put(&mut out, &request.body);
    sealed(Kind::Request, id.as_bytes(), out)
}

/// The request of a record.
pub fn decode(id: JobId, record: Vec<u8>) -> Result<StoredRequest, Damage> {
    let record = Bytes::from(record);
    let (version, fields) = unsealed(Kind::Request, id.as_bytes(), &record)?;
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let fields = record.slice_ref(fields);
    let mut reader = Reader::new(&fields);
    let method = Method::from_bytes(reader.bytes("method")?).map_err(|_| Wrong("method"))?;
    let target = reader.bytes("target")?;
    let target = PathAndQuery::try_from(target).map_err(|_| Wrong("target"))?;
    let headers = headers::get(&mut reader)?;
    let trailers = headers::get(&mut reader)?;
    let body = body::get(&mut reader, &fields)?;
    reader.end()?;
    Ok(StoredRequest {
        head: RequestHead {
            method,
            target,
            headers,
        },
        body,
        trailers,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::arbitrary;
    use super::*;

    proptest! {
        #[test]
        fn comes_back(id in arbitrary::job_id(), request in arbitrary::request()) {
            prop_assert_eq!(decode(id, encode(id, &request)), Ok(request));
        }

        #[test]
        fn a_flipped_bit_is_noticed(
            id in arbitrary::job_id(),
            request in arbitrary::request(),
            at: proptest::sample::Index,
            bit in 0..8_u8,
        ) {
            let mut record = encode(id, &request);
            let at = at.index(record.len());
            record[at] ^= 1_u8 << bit;
            prop_assert_eq!(decode(id, record), Err(Damage::Checksum));
        }

        #[test]
        fn any_fields_are_read_without_a_panic(id in arbitrary::job_id(), mut fields: Vec<u8>) {
            fields.insert(0, VERSION);
            let _ = decode(id, sealed(Kind::Request, id.as_bytes(), fields));
        }
    }
}
