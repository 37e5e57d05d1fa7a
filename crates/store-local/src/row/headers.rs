//! Header sections as they are written: a count, then names and values in their order.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::wire::{Reader, Wrong, put_bytes, put_number};

/// Appends a header section.
pub fn put(out: &mut Vec<u8>, headers: &HeaderMap) {
    put_number(out, headers.len() as u64);
    for (name, value) in headers {
        put_bytes(out, name.as_str().as_bytes());
        put_bytes(out, value.as_bytes());
    }
}

/// Reads a header section.
pub fn get(reader: &mut Reader<'_>) -> Result<HeaderMap, Wrong> {
    let count = reader.small::<usize>("header count")?;
    let mut headers = HeaderMap::new();
    for _ in 0..count {
        let name = HeaderName::from_bytes(reader.bytes("header name")?)
            .map_err(|_| Wrong("header name"))?;
        let value = HeaderValue::from_bytes(reader.bytes("header value")?)
            .map_err(|_| Wrong("header value"))?;
        headers
            .try_append(name, value)
            .map_err(|_| Wrong("header count"))?;
    }
    Ok(headers)
}
