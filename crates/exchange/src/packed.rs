//! Fields put aside as plain bytes: what a ticket would need, kept while the fields themselves go
//! out to the backend.
//!
//! Most answers come in time, and then nobody asks for them again. So they are put aside for less
//! than a clone of the map costs, and without holding on to the buffer they were read into.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Before each field: the length of its name, the length of its value, whether it is sensitive.
const MARK_BYTES: usize = 9;

/// Room for the fields that most requests have.
const USUAL_BYTES: usize = 1_000;

/// Fields in their order, as bytes.
#[derive(Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    fields: usize,
}

impl Packed {
    /// Puts `fields` aside. None where a name or value has more than 4 GiB, which no head has.
    pub fn new(fields: &HeaderMap) -> Option<Self> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        for (name, value) in fields {
            let name = name.as_str().as_bytes();
            let mut mark = [0; MARK_BYTES];
            mark[..4].copy_from_slice(&u32::try_from(name.len()).ok()?.to_le_bytes());
            mark[4..8].copy_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
            mark[8] = u8::from(value.is_sensitive());
            bytes.reserve(MARK_BYTES + name.len() + value.len());
            bytes.extend_from_slice(&mark);
            bytes.extend_from_slice(name);
            bytes.extend_from_slice(value.as_bytes());
        }
        Some(Self {
            bytes,
            fields: fields.keys_len(),
        })
    }

    /// The fields again.
    pub fn unpack(self) -> HeaderMap {
        let mut fields = HeaderMap::with_capacity(self.fields);
        let mut rest = self.bytes.as_slice();
        while let Some((name, value)) = field(&mut rest) {
            fields.append(name, value);
        }
        fields
    }
}

/// Takes the first field off `rest`; none at its end.
fn field(rest: &mut &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let name_len = u32::from_le_bytes(*rest.split_off(..4)?.as_array()?);
    let value_len = u32::from_le_bytes(*rest.split_off(..4)?.as_array()?);
    let is_sensitive = *rest.split_off_first()? != 0;
    let name = rest.split_off(..usize::try_from(name_len).ok()?)?;
    let value = rest.split_off(..usize::try_from(value_len).ok()?)?;
    let mut value = HeaderValue::from_bytes(value).ok()?;
    value.set_sensitive(is_sensitive);
    Some((HeaderName::from_bytes(name).ok()?, value))
}

#[cfg(test)]
mod tests {
    //! What comes out is what went in.

    use super::*;

    #[test]
    fn fields_come_out_as_they_went_in() {
        let mut fields = HeaderMap::new();
        fields.append("x-second", HeaderValue::from_static("1"));
        fields.append("host", HeaderValue::from_static("example.org"));
        fields.append("x-second", HeaderValue::from_static(""));
        fields.append("x-latin", HeaderValue::from_bytes(b"caf\xe9\t!").unwrap());
        let mut secret = HeaderValue::from_static("Bearer 1");
        secret.set_sensitive(true);
        fields.append("authorization", secret);

        let unpacked = Packed::new(&fields).unwrap().unpack();

        assert_eq!(unpacked, fields);
        let order = |fields: &HeaderMap| {
            let named = |(name, value): (&HeaderName, &HeaderValue)| {
                (name.clone(), value.clone(), value.is_sensitive())
            };
            fields.iter().map(named).collect::<Vec<_>>()
        };
        assert_eq!(order(&unpacked), order(&fields));
    }

    #[test]
    fn no_fields_are_no_fields() {
        let packed = Packed::new(&HeaderMap::new()).unwrap();
        assert_eq!(packed.unpack(), HeaderMap::new());
    }

    #[test]
    fn many_fields_of_one_name_stay_in_order() {
        let mut fields = HeaderMap::new();
        for number in 0..100_u32 {
            fields.append("x-many", HeaderValue::from(number));
        }
        assert_eq!(Packed::new(&fields).unwrap().unpack(), fields);
    }
}
