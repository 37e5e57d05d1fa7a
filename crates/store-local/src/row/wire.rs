//! The few shapes that fields are written in: varints, byte strings, times and options.

use std::time::Duration;

use raincheck_core::time::Timestamp;

/// A field that cannot be what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its {0} cannot be read")]
pub struct Wrong(pub &'static str);

/// Appends a number, seven bits a byte, low bits first.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a byte string with its length.
pub fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a duration: whole seconds, then nanoseconds.
pub fn put_duration(out: &mut Vec<u8>, duration: Duration) {
    put_number(out, duration.as_secs());
    put_number(out, u64::from(duration.subsec_nanos()));
}

/// Appends a time that may be missing: 0, or its milliseconds and one.
pub fn put_time(out: &mut Vec<u8>, time: Option<Timestamp>) {
    put_number(out, time.map_or(0, |time| time.as_millis() + 1));
}

/// Reads fields in the order they were written.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    whole: usize,
}

impl<'a> Reader<'a> {
    /// Reads `fields` from their beginning.
    pub fn new(fields: &'a [u8]) -> Self {
        Self {
            rest: fields,
            whole: fields.len(),
        }
    }

    /// How many bytes have been read.
    pub fn position(&self) -> usize {
        self.whole - self.rest.len()
    }

    /// The next byte.
    pub fn byte(&mut self, name: &'static str) -> Result<u8, Wrong> {
        let (byte, rest) = self.rest.split_first().ok_or(Wrong(name))?;
        self.rest = rest;
        Ok(*byte)
    }

    /// The next number.
    pub fn number(&mut self, name: &'static str) -> Result<u64, Wrong> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(name)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Wrong(name));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Wrong(name))
    }

    /// The next number, if it fits.
    pub fn small<T: TryFrom<u64>>(&mut self, name: &'static str) -> Result<T, Wrong> {
        T::try_from(self.number(name)?).map_err(|_| Wrong(name))
    }

    /// The next byte string.
    pub fn bytes(&mut self, name: &'static str) -> Result<&'a [u8], Wrong> {
        let len = self.small::<usize>(name)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Wrong(name))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The next byte string, as text.
    pub fn text(&mut self, name: &'static str) -> Result<&'a str, Wrong> {
        std::str::from_utf8(self.bytes(name)?).map_err(|_| Wrong(name))
    }

    /// The next sixteen bytes.
    pub fn sixteen(&mut self, name: &'static str) -> Result<[u8; 16], Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk::<16>().ok_or(Wrong(name))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// The next duration.
    pub fn duration(&mut self, name: &'static str) -> Result<Duration, Wrong> {
        let secs = self.number(name)?;
        let nanos = self.small::<u32>(name)?;
        if nanos >= 1_000_000_000 {
            return Err(Wrong(name));
        }
        Ok(Duration::new(secs, nanos))
    }

    /// The next time that may be missing.
    pub fn time(&mut self, name: &'static str) -> Result<Option<Timestamp>, Wrong> {
        Ok(self
            .number(name)?
            .checked_sub(1)
            .map(Timestamp::from_millis))
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Wrong> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(Wrong("end"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(number: u64) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.number("number"), Ok(number));
            prop_assert_eq!(reader.end(), Ok(()));
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while reader.bytes("bytes").is_ok() {}
            let _ = reader.duration("duration");
            let _ = reader.time("time");
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_refused() {
        let mut bytes = [0xff; 10];
        bytes[9] = 0x02;
        assert_eq!(Reader::new(&bytes).number("n"), Err(Wrong("n")));
    }
}
