//! The line in front of each chunk (RFC 9112 section 7.1).

use super::bytes::has_control;
use super::refusal::Refusal;

/// Bytes of one such line.
pub(super) const LINE_BYTES: usize = 1024;
/// Bytes of all chunk extensions of one body. hyper stops at 16 KiB.
const EXTENSION_BYTES: usize = 8 * 1024;
/// Hexadecimal digits of a size. Even leading zeros must end.
const SIZE_DIGITS: usize = 16;

const NO_SIZE: Refusal = Refusal::malformed("a chunk does not begin with its size");
const TOO_LARGE: Refusal = Refusal::malformed("a chunk's size is out of range");
const EXTENSION: Refusal = Refusal::malformed("a chunk extension has a control character");
const EXTENSIONS: Refusal = Refusal::malformed("chunk extensions are too long");
pub(super) const LINE: Refusal = Refusal::malformed("a chunk's size line is too long");

/// Reads a size line without its end. Adds to the count of extension bytes of this body.
pub(super) fn size(line: &[u8], extensions: &mut usize) -> Result<u64, Refusal> {
    let digits = line
        .iter()
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    let (digits, rest) = line.split_at_checked(digits).ok_or(NO_SIZE)?;
    if digits.is_empty() {
        return Err(NO_SIZE);
    }
    // Not even blanks may follow a size: servers differ in which ones they skip.
    match rest.first() {
        None => {}
        Some(b';') if has_control(rest) => return Err(EXTENSION),
        Some(b';') => {
            *extensions += rest.len();
            if *extensions > EXTENSION_BYTES {
                return Err(EXTENSIONS);
            }
        }
        Some(_) => return Err(NO_SIZE),
    }
    if digits.len() > SIZE_DIGITS {
        return Err(TOO_LARGE);
    }
    let digits = std::str::from_utf8(digits).map_err(|_| NO_SIZE)?;
    match u64::from_str_radix(digits, 16) {
        Ok(size) if i64::try_from(size).is_ok() => Ok(size),
        _ => Err(TOO_LARGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_hexadecimal_and_nothing_else() {
        let read = |line: &str| size(line.as_bytes(), &mut 0);
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("fF"), Ok(255));
        assert_eq!(read("0000000000000010"), Ok(16));
        assert_eq!(read("5;name=\"v\"; other"), Ok(5));
        assert_eq!(read("7fffffffffffffff"), Ok(i64::MAX as u64));
        for bad in [
            "", " 5", "5 ", "5 ;a", "+5", "-5", "0x5", "5\t", "5;a\0b", "5;a\rb", ";a", "g",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        for large in ["8000000000000000", "ffffffffffffffff", "00000000000000005"] {
            assert_eq!(read(large), Err(TOO_LARGE));
        }
    }

    #[test]
    fn extensions_are_bounded_over_the_whole_body() {
        let line = format!("1;{}", "a".repeat(1000));
        let mut seen = 0;
        let taken = (0..100)
            .take_while(|_| size(line.as_bytes(), &mut seen).is_ok())
            .count();
        assert_eq!(taken, 8);
    }
}
