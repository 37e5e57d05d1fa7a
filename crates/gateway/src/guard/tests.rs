//! Every rule of the guard, and that it does not matter how a stream is cut.

use proptest::prelude::*;
use raincheck_core::problem::ProblemCode;

use super::inspect::{Inspector, Limits, Violation};
use super::refusal::Refusal;
use crate::server::ServerOptions;

mod stream;

/// What came of a whole stream: the requests that passed, and why it stopped.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    requests: u64,
    refusal: Option<Refusal>,
    mid_head: bool,
    mid_body: bool,
}

fn limits() -> Limits {
    Limits::from(&ServerOptions::default())
}

/// Inspects a piece of a stream on which all upgrades are refused.
fn on_to_the_end(inspector: &mut Inspector, piece: &[u8]) -> Result<usize, Violation> {
    let mut at = 0;
    loop {
        inspector.go_on();
        let rest = &piece[at..];
        let pass = inspector.inspect(rest).map_err(|violation| Violation {
            pass: at + violation.pass,
            ..violation
        })?;
        at += pass;
        if at == piece.len() || !inspector.waits_for_answer() {
            return Ok(at);
        }
    }
}

/// Inspects a stream in pieces of these lengths, the rest in one.
fn inspect_in(bytes: &[u8], cuts: &[usize]) -> Seen {
    let mut inspector = Inspector::new(limits());
    let mut rest = bytes;
    let mut refusal = None;
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        if let Err(violation) = on_to_the_end(&mut inspector, piece) {
            assert!(violation.pass <= piece.len());
            refusal = Some(violation.refusal);
            break;
        }
    }
    Seen {
        requests: inspector.requests(),
        refusal,
        mid_head: refusal.is_none() && inspector.is_mid_head(),
        mid_body: inspector.is_mid_body(),
    }
}

fn inspect(bytes: &[u8]) -> Seen {
    inspect_in(bytes, &[])
}

/// The code with which a head with these lines is refused.
fn head(lines: &str) -> Option<ProblemCode> {
    let bytes = format!("POST / HTTP/1.1\r\nhost: x\r\n{lines}\r\n\r\n");
    let seen = inspect(bytes.as_bytes());
    assert_eq!(
        seen.requests,
        u64::from(seen.refusal.is_none()),
        "{lines:?}"
    );
    seen.refusal.map(|refusal| refusal.code)
}

/// The code with which a stream is refused.
fn code(bytes: impl AsRef<[u8]>) -> Option<ProblemCode> {
    inspect(bytes.as_ref()).refusal.map(|refusal| refusal.code)
}

const MALFORMED: Option<ProblemCode> = Some(ProblemCode::MalformedRequest);
const UNSUPPORTED: Option<ProblemCode> = Some(ProblemCode::UpgradeNotSupported);

#[test]
fn honest_requests_pass() {
    let stream = b"\r\nGET / HTTP/1.1\r\nHost: a.example:80\r\nX-Odd_name!: a \xff\t\"b\" \r\nEmpty:\r\n\r\n\
        OPTIONS * HTTP/1.1\r\nhost:[::1]:8080\r\n\r\n\
        GET http://A/b?c HTTP/1.1\r\nhost: a:80\r\n\r\n\
        GET / HTTP/1.0\r\n\r\n\
        PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 005\r\n\r\nhello\
        PUT /x HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n\
        POST /x HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: \tChunked \r\nexpect: 100-continue\r\n\r\n\
        5\r\nhello\r\nA;name=v\r\n0123\r\n6789\r\n0\r\nX-Sum: 1\r\n\r\n\
        GET /last HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    let whole = Seen {
        requests: 8,
        refusal: None,
        mid_head: false,
        mid_body: false,
    };
    assert_eq!(inspect(stream), whole);
    for len in 0..stream.len() {
        assert_eq!(inspect(&stream[..len]).refusal, None, "{len}");
        assert_eq!(inspect_in(stream, &[len]), whole, "{len}");
    }
}

#[test]
fn framing_that_could_be_read_in_two_ways_is_refused() {
    for lines in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: ,chunked",
        "transfer-encoding: chunked,",
        "transfer-encoding: identity",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding: ",
        "content-length: 4\r\ncontent-length: 4",
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4, 4",
        "content-length: +4",
        "content-length: -4",
        "content-length: 0x4",
        "content-length: 4 4",
        "content-length: ",
        "content-length: 9223372036854775808",
        "content-length: 18446744073709551616",
        "content-length: 00000000000000000004",
    ] {
        assert_eq!(head(lines), MALFORMED, "{lines:?}");
    }
    assert_eq!(head("content-length: 9223372036854775807"), None);
    let old = "POST / HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    assert_eq!(code(old), MALFORMED);
}

#[test]
fn malformed_field_lines_are_refused() {
    for lines in [
        "x: a\r\n b",
        "x: a\r\n\tb",
        "content-length : 4",
        "x\t: 4",
        "x: a\ny: b",
        "x: a\rb",
        "x: a\r\ry: b",
        "x: a\0b",
        "x: a\u{1}b",
        "x: a\u{7f}b",
        " x: a",
        ": no name",
        "no colon",
        "x y: z",
        "x\u{e9}: z",
        "x(y): z",
        "x: a\n",
    ] {
        assert_eq!(head(lines), MALFORMED, "{lines:?}");
    }
}

#[test]
fn malformed_request_lines_are_refused() {
    for line in [
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /a\0b HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /a\rb HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET / HTTP/9.9",
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "GET / http/1.1",
        "GET /",
        "GET",
        "GET x HTTP/1.1",
        "GET * HTTP/1.1",
        "GET ?a HTTP/1.1",
        "GET ftp://x/ HTTP/1.1",
        "GET http:///a HTTP/1.1",
        "GET http://u@x/ HTTP/1.1",
        "PRI * HTTP/2.0",
        "{\"not\": \"http\"}",
        "\u{16}\u{3}\u{1}",
    ] {
        assert_eq!(
            code(format!("{line}\r\nhost: x\r\n\r\n")),
            MALFORMED,
            "{line:?}"
        );
    }
    assert_eq!(code("GET / HTTP/1.1\nhost: x\n\n"), MALFORMED);
    assert_eq!(code("GET / HTTP/1.1\r\nhost: x\n\r\n"), MALFORMED);
    assert_eq!(code("GET / HTTP/1.1\r\nhost: x\r\n\n"), MALFORMED);
    assert_eq!(code("\r\n".repeat(5)), MALFORMED);
    assert_eq!(code("\u{16}\u{3}\u{1}"), MALFORMED);
}

#[test]
fn exactly_one_valid_host_is_needed() {
    for lines in [
        "",
        "host: a\r\nhost: a\r\n",
        "host: a\r\nHOST: b\r\n",
        "host: a, b\r\n",
        "host: a b\r\n",
        "host: u@a\r\n",
        "host: a:b\r\n",
        "host: a:99999\r\n",
        "host: \r\n",
    ] {
        assert_eq!(
            code(format!("GET / HTTP/1.1\r\n{lines}\r\n")),
            MALFORMED,
            "{lines:?}"
        );
    }
    assert_eq!(
        code("GET / HTTP/1.0\r\nhost: a\r\nhost: a\r\n\r\n"),
        MALFORMED
    );
    assert_eq!(code("GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n"), MALFORMED);
    assert_eq!(
        code("GET https://a/ HTTP/1.1\r\nhost: a:80\r\n\r\n"),
        MALFORMED
    );
}

#[test]
fn nothing_follows_a_tunnel() {
    let connect = "CONNECT x:80 HTTP/1.1\r\nhost: x\r\n\r\n";
    let next = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let seen = inspect(format!("{connect}{next}").as_bytes());
    assert_eq!(
        (seen.refusal.map(|r| r.code), seen.requests),
        (UNSUPPORTED, 0)
    );
}

#[test]
fn what_follows_an_upgrade_is_not_looked_at_before_its_answer() {
    let upgrade = "PUT / HTTP/1.1\r\nhost: x\r\nUPGRADE: any\r\ncontent-length: 2\r\n\r\nhi";
    for rest in ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", "\0\x01\n\n"] {
        let stream = format!("{upgrade}{rest}");
        for cut in 0..stream.len() {
            let (first, second) = stream.as_bytes().split_at(cut);
            let mut inspector = Inspector::new(limits());
            let mut passed = 0;
            for (at, piece) in [(0, first), (cut, second)] {
                match inspector.inspect(piece).unwrap() {
                    0 => {}
                    pass => passed = at + pass,
                }
            }
            assert_eq!(passed, upgrade.len(), "{cut}");
            assert!(inspector.waits_for_answer() && inspector.take_offer());
            assert!(!inspector.is_mid_head() && !inspector.is_mid_body());
            inspector.go_on();
            let seen = inspector.inspect(rest.as_bytes()).is_ok();
            assert_eq!(seen, rest.starts_with("GET"), "{cut}");
        }
    }
    // HTTP/1.0 knows of no upgrades.
    let old = "GET / HTTP/1.0\r\nhost: x\r\nupgrade: any\r\n\r\n";
    assert_eq!(inspect(old.repeat(2).as_bytes()).requests, 2);
}

#[test]
fn limits_have_codes_of_their_own() {
    let target = |len| {
        code(format!(
            "GET /{} HTTP/1.1\r\nhost: x\r\n\r\n",
            "a".repeat(len)
        ))
    };
    assert_eq!(target(15 << 10), None);
    assert_eq!(target(16 << 10), Some(ProblemCode::TargetTooLong));
    assert_eq!(target(100 << 10), Some(ProblemCode::TargetTooLong));
    assert_eq!(code("A".repeat(100 << 10)), MALFORMED);
    assert_eq!(
        code(format!("GET /{}", "a".repeat(100 << 10))),
        Some(ProblemCode::TargetTooLong)
    );
    let large = format!("x: {}", "a".repeat(30 << 10));
    assert_eq!(head(&large), None);
    assert_eq!(
        head(&format!("{large}\r\n{large}\r\n{large}")),
        Some(ProblemCode::HeadersTooLarge)
    );
    let endless = format!("GET / HTTP/1.1\r\nx: {}", "a".repeat(70 << 10));
    assert_eq!(code(endless), Some(ProblemCode::HeadersTooLarge));
    assert_eq!(head(&["x: y"; 99].join("\r\n")), None);
    assert_eq!(
        head(&["x: y"; 100].join("\r\n")),
        Some(ProblemCode::HeadersTooLarge)
    );
}

#[test]
fn broken_chunks_are_refused_within_the_body() {
    let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in [
        "xyz\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";ext\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5\r\nhelloxx0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\rx",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "8000000000000000\r\n",
        "0\r\nbad trailer\r\n\r\n",
        "0\r\ncontent-length: 5\r\n\r\n",
        "0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "0\r\nhost: y\r\n\r\n",
        "0\r\n\n",
    ] {
        let seen = inspect(format!("{head}{body}GET / HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
        let refusal = seen.refusal.expect(body);
        assert!(refusal.in_body, "{body:?}");
        assert_eq!(
            (refusal.code, seen.requests),
            (ProblemCode::MalformedRequest, 1),
            "{body:?}"
        );
    }
    let endless = format!("{head}5;{}", "a".repeat(2000));
    assert_eq!(code(endless), MALFORMED);
    let trailers = format!("{head}0\r\n{}\r\n", "x: yyyyyyyyyyyyyyy\r\n".repeat(1000));
    assert_eq!(code(trailers), Some(ProblemCode::HeadersTooLarge));
}

#[test]
fn what_passes_of_a_refused_head_is_no_request() {
    let good = "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n";
    let bad = "GET /2 HTTP/1.1\r\nhost: x\r\nbad line\r\n\r\n";
    let both = format!("{good}{bad}{good}");
    let violation = Inspector::new(limits())
        .inspect(both.as_bytes())
        .unwrap_err();
    assert_eq!(violation.pass, good.len());
    for cut in 1..good.len() + bad.len() - 4 {
        let mut inspector = Inspector::new(limits());
        let (first, rest) = both.as_bytes().split_at(cut);
        let passed = match inspector.inspect(first) {
            Ok(pass) if pass < cut => {
                let violation = inspector.inspect(rest).unwrap_err();
                // What was held back passes only together with something that follows it.
                if violation.pass > 0 {
                    cut + violation.pass
                } else {
                    pass
                }
            }
            Ok(_) => cut + inspector.inspect(rest).unwrap_err().pass,
            Err(violation) => violation.pass,
        };
        assert_eq!(passed, good.len(), "{cut}");
    }
}

/// Streams that are mostly, but not quite, HTTP.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "GET / HTTP/1.1\r\nhost: x\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\n",
        "host: x\r\n",
        "content-length: 2\r\n",
        "transfer-encoding: chunked\r\n",
        "x: y\r\n",
        "3\r\nabc\r\n",
        "3;x=y\r\nabc\r\n",
        "0\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        ":",
        "a",
        "\0",
        "\u{16}",
        "\u{e9}",
    ]);
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn cutting_a_stream_changes_nothing(
        bytes in streams(),
        cuts in prop::collection::vec(0_usize..12, 0..40),
    ) {
        prop_assert_eq!(inspect_in(&bytes, &cuts), inspect(&bytes));
    }

    #[test]
    fn byte_by_byte_is_the_same_as_whole(bytes in streams()) {
        let cuts = vec![1; bytes.len()];
        prop_assert_eq!(inspect_in(&bytes, &cuts), inspect(&bytes));
    }

    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = inspect(&bytes);
    }
}
