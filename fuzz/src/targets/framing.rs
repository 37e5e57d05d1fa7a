//! A client's bytes under the framing guard: it does not matter how they are cut, and what passes
//! is read as the same requests by the parser behind it.

use raincheck_gateway::fuzzing::framing;

/// Fields that the parser takes; the guard allows fewer.
const FIELDS: usize = 128;

/// The first byte says how the rest is cut.
pub(crate) fn run(bytes: &[u8]) {
    let Some((cut, stream)) = bytes.split_first() else {
        return;
    };
    let whole = framing(stream, []);
    assert!(whole.passed <= stream.len());
    let pieces = std::iter::repeat_n(usize::from(cut % 17) + 1, stream.len());
    let cut = framing(stream, pieces);
    assert_eq!(
        (cut.requests, cut.refused, cut.mid),
        (whole.requests, whole.refused, whole.mid),
        "it matters how the stream is cut"
    );
    let read = heads(&stream[..whole.passed]);
    assert_eq!(read, whole.requests, "guard and parser count differently");
}

/// Heads that hyper's parser sees in what passed.
fn heads(mut bytes: &[u8]) -> u64 {
    let mut heads = 0;
    while let Some((len, framing)) = head(bytes) {
        heads += 1;
        bytes = &bytes[len..];
        let body = match framing {
            Body::Length(len) => usize::try_from(len).ok(),
            Body::Chunked => chunked(bytes),
        };
        match body.and_then(|len| bytes.get(len..)) {
            Some(rest) => bytes = rest,
            None => break,
        }
    }
    heads
}

enum Body {
    Length(u64),
    Chunked,
}

fn head(bytes: &[u8]) -> Option<(usize, Body)> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let len = match request.parse(bytes) {
        Ok(httparse::Status::Complete(len)) => len,
        Ok(httparse::Status::Partial) => {
            let rest = bytes.iter().find(|byte| !b"\r\n".contains(byte));
            assert!(rest.is_none(), "a part of a head passed");
            return None;
        }
        Err(error) => panic!("a head passed that the parser refuses: {error}"),
    };
    let mut body = Body::Length(0);
    for field in request.headers.iter() {
        if field.name.eq_ignore_ascii_case("content-length") {
            let digits = std::str::from_utf8(field.value).unwrap();
            body = Body::Length(digits.trim().parse().unwrap());
        }
        if field.name.eq_ignore_ascii_case("transfer-encoding") {
            body = Body::Chunked;
        }
    }
    Some((len, body))
}

/// How long a chunked body is; none: it has not ended.
fn chunked(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let (line, size) = match httparse::parse_chunk_size(&bytes[at..]) {
            Ok(httparse::Status::Complete(found)) => found,
            // Bytes of a body pass as they come, the beginning of a bad line among them: the parser
            // may refuse it before the guard does, but neither may go on.
            Ok(httparse::Status::Partial) | Err(_) => return None,
        };
        at += line;
        if size == 0 {
            let mut fields = [httparse::EMPTY_HEADER; FIELDS];
            return match httparse::parse_headers(&bytes[at..], &mut fields) {
                Ok(httparse::Status::Complete((len, _))) => Some(at + len),
                Ok(httparse::Status::Partial) | Err(_) => None,
            };
        }
        let end = at.checked_add(usize::try_from(size).ok()?)?;
        let after = bytes.get(end..)?;
        if after.len() < 2 {
            return None;
        }
        assert_eq!(&after[..2], b"\r\n", "a chunk ends elsewhere");
        at = end + 2;
    }
}
