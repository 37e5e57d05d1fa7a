//! Query parameters: decoded, first instance of a name, unknown names ignored.

/// The value of a parameter, percent-decoded, with `+` for a space.
pub(crate) fn value(query: Option<&str>, name: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| decode(value))
    })
}

/// The first parameter whose name is not one of these.
pub(crate) fn unknown<'a>(query: Option<&'a str>, known: &[&str]) -> Option<&'a str> {
    let names = query?.split('&').filter(|pair| !pair.is_empty());
    names
        .map(|pair| pair.split('=').next().unwrap_or(pair))
        .find(|name| !known.contains(name))
}

/// Whether a parameter is there at all.
pub(crate) fn has(query: Option<&str>, name: &str) -> bool {
    value(query, name).is_some()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = |byte: u8| char::from(byte).to_digit(16);
        match (first, after) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let digit = |byte| hex(byte).unwrap_or_default() as u8;
                bytes.push(digit(*high) * 16 + digit(*low));
                rest = tail;
            }
            (b'+', tail) => {
                bytes.push(b' ');
                rest = tail;
            }
            (byte, tail) => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    //! Decoding, and what is not there.

    use super::{has, value};

    #[test]
    fn decodes_the_first_instance() {
        let query = Some("a=1&b=x%20y+z&a=2&c&d=%zz");
        assert_eq!(value(query, "a").as_deref(), Some("1"));
        assert_eq!(value(query, "b").as_deref(), Some("x y z"));
        assert_eq!(value(query, "c").as_deref(), Some(""));
        assert_eq!(value(query, "d").as_deref(), Some("%zz"));
        assert!(!has(query, "e") && !has(None, "a"));
        assert_eq!(super::unknown(query, &["a", "b", "c"]), Some("d"));
        assert_eq!(super::unknown(query, &["a", "b", "c", "d"]), None);
    }
}
