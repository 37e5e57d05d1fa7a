//! HTTP/2 as frames, written by hand so that they can be wrong.
//!
//! Lines of a case in `corpus/h2.txt`, behind the preface and an empty SETTINGS:
//!
//! - `headers STREAM [end] [open]`: HEADERS with the fields of the lines below it. `end` sets
//!   END_STREAM; `open` leaves END_HEADERS out.
//! - `continuation STREAM [open]`: CONTINUATION, the same way.
//! - `. NAME: VALUE`: a field of it, with the escapes of the other cases.
//! - `get STREAM`: an honest request for `/case/a`; `post STREAM`: one whose body is to come.
//! - `data STREAM [end]: BYTES`: DATA.
//! - `frame TYPE FLAGS STREAM: BYTES`: anything at all, numbers in hexadecimal.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bound::{Must, within};
use crate::corpus::{self, MARK, bytes};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

/// The stream of the request behind every case.
const SENTINEL: u32 = 99;

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it is.
    pub name: String,
    /// `passes`, `resets CODE`, `closes CODE` or a status.
    pub ours: String,
    lines: Vec<String>,
}

/// What became of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What was said on stream 1.
    pub first: Option<String>,
    /// What was said on the sentinel's stream.
    pub sentinel: Option<String>,
    /// The code of the GOAWAY.
    pub goaway: Option<String>,
    /// Whether the connection was closed.
    pub closed: bool,
}

/// All cases.
#[must_use]
pub fn all() -> Vec<Case> {
    let text = std::fs::read_to_string(corpus::dir().join("h2.txt")).must("h2.txt");
    let case = |text: &str| Case {
        name: text.lines().next().must("a name").to_owned(),
        ours: corpus::lines(text, "ours: ").next().must("ours").to_owned(),
        lines: corpus::lines(text, "| ").map(str::to_owned).collect(),
    };
    text.split("\n## ").skip(1).map(case).collect()
}

impl Case {
    /// Everything to send, as case number `number`.
    #[must_use]
    pub fn numbered(&self, number: usize) -> Vec<u8> {
        let mut out = PREFACE.to_vec();
        frame(&mut out, SETTINGS, 0, 0, &[]);
        let mark = |text: &str| text.replace(MARK, &corpus::mark(number));
        let mut lines = self.lines.iter().map(|line| mark(line)).peekable();
        while let Some(line) = lines.next() {
            let mut fields = Vec::new();
            while let Some(field) = lines.next_if(|line| line.starts_with(". ")) {
                fields.push(field[2..].to_owned());
            }
            written(&mut out, &line, &fields, &mark("/case/a"));
        }
        let sentinel = honest("GET", &mark("/case/sentinel"));
        frame(
            &mut out,
            HEADERS,
            END_STREAM | END_HEADERS,
            SENTINEL,
            &sentinel,
        );
        out
    }
}

/// One line as frames.
fn written(out: &mut Vec<u8>, line: &str, fields: &[String], path: &str) {
    let (head, payload) = line.split_once(": ").unwrap_or((line, ""));
    let words: Vec<&str> = head.split(' ').collect();
    let number = |index: usize| words[index].parse::<u32>().must("a stream");
    let hex = |index: usize| u32::from_str_radix(words[index], 16).must("a number");
    let end = if words.contains(&"end") {
        END_STREAM
    } else {
        0
    };
    let headers = if words.contains(&"open") {
        0
    } else {
        END_HEADERS
    };
    match words[0] {
        "get" => frame(
            out,
            HEADERS,
            END_STREAM | END_HEADERS,
            number(1),
            &honest("GET", path),
        ),
        "post" => frame(out, HEADERS, END_HEADERS, number(1), &honest("POST", path)),
        kind @ ("headers" | "continuation") => {
            let kind = if kind == "headers" {
                HEADERS
            } else {
                CONTINUATION
            };
            let block: Vec<u8> = fields.iter().flat_map(|line| field(line)).collect();
            frame(out, kind, end | headers, number(1), &block);
        }
        "data" => frame(out, DATA, end, number(1), &bytes(payload)),
        "frame" => {
            let (kind, flags) = (hex(1) as u8, hex(2) as u8);
            frame(out, kind, flags, hex(3), &bytes(payload));
        }
        other => panic!("an unknown line: {other}"),
    }
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

fn honest(method: &str, path: &str) -> Vec<u8> {
    let lines = [
        format!(":method: {method}"),
        ":scheme: http".to_owned(),
        ":authority: x".to_owned(),
        format!(":path: {path}"),
    ];
    lines.iter().flat_map(|line| field(line)).collect()
}

/// A literal field without indexing, not compressed (RFC 7541 section 6.2.2).
fn field(line: &str) -> Vec<u8> {
    let (name, value) = line.rsplit_once(": ").must("a field");
    let mut out = vec![0];
    for text in [bytes(name), bytes(value)] {
        length(&mut out, text.len());
        out.extend_from_slice(&text);
    }
    out
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(out: &mut Vec<u8>, mut len: usize) {
    if len < 127 {
        out.push(len as u8);
        return;
    }
    out.push(127);
    len -= 127;
    while len >= 128 {
        out.push((len % 128) as u8 | 128);
        len /= 128;
    }
    out.push(len as u8);
}

/// Sends a case on a connection of its own, and waits until everything is said.
pub async fn send(mut stream: TcpStream, sent: &[u8]) -> Told {
    // Whoever refuses may close before it has read everything.
    let _ = within("the server to take frames", stream.write_all(sent)).await;
    let mut told = Told::default();
    let mut said = BTreeMap::<u32, String>::new();
    let read = async {
        while let Ok(head) = stream.read_u64().await {
            let stream_id = u32::from(stream.read_u8().await.unwrap_or_default());
            let (len, kind) = ((head >> 40) as usize, (head >> 32) as u8);
            let flags = (head >> 24) as u8;
            let id = (((head & 0xff_ffff) as u32) << 8) | stream_id;
            let mut payload = vec![0; len];
            if stream.read_exact(&mut payload).await.is_err() {
                break;
            }
            match kind {
                SETTINGS if flags & ACK == 0 => {
                    let mut ack = Vec::new();
                    frame(&mut ack, SETTINGS, ACK, 0, &[]);
                    let _ = stream.write_all(&ack).await;
                }
                HEADERS => {
                    said.entry(id).or_insert_with(|| status(&payload));
                }
                RST_STREAM => {
                    // A stream may be reset after its answer, to stop a body (RFC 9113 8.1).
                    let reset = format!("resets {}", code(&payload));
                    said.entry(id).or_insert(reset);
                }
                GOAWAY => told.goaway = Some(code(payload.get(4..).unwrap_or_default())),
                _ => {}
            }
            let both = said.contains_key(&1) && said.contains_key(&SENTINEL);
            if both && told.goaway.is_none() {
                return false;
            }
        }
        true
    };
    told.closed = within("the server to say what it makes of frames", read).await;
    told.first = said.remove(&1);
    told.sentinel = said.remove(&SENTINEL);
    told
}

fn code(payload: &[u8]) -> String {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
    ];
    let code = payload.first_chunk().map(|code| u32::from_be_bytes(*code));
    let name = code.and_then(|code| names.get(code as usize).copied());
    name.map_or(format!("{code:?}"), str::to_owned)
}

/// The status at the start of a block of fields: indexed, or with the digits' Huffman codes.
fn status(block: &[u8]) -> String {
    // An encoder may first say how large its table is (RFC 7541 section 6.3).
    let start = block
        .iter()
        .position(|byte| byte & 0xe0 != 0x20)
        .unwrap_or_default();
    let block = &block[start..];
    let known = ["200", "204", "206", "304", "400", "404", "500"];
    match block {
        [byte @ 0x88..=0x8e, ..] => known[usize::from(byte - 0x88)].to_owned(),
        [0x48 | 0x08, 3, digits @ ..] => String::from_utf8_lossy(&digits[..3]).into_owned(),
        [0x48 | 0x08, len, digits @ ..] => huffman(&digits[..usize::from(len & 0x7f)]),
        _ => format!("a block that begins with {:?}", block.first()),
    }
}

/// Three digits (RFC 7541 appendix B: 0-2 have five bits, the others six).
fn huffman(bytes: &[u8]) -> String {
    let bits: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let take = |at: usize, len: usize| bits[at..at + len].iter().fold(0, |n, bit| n << 1 | bit);
    let mut at = 0;
    let mut out = String::new();
    while out.len() < 3 {
        let short = take(at, 5);
        let (digit, len) = if short < 3 {
            (short, 5)
        } else {
            (take(at, 6) - 0x16, 6)
        };
        out.push(char::from(b'0' + digit));
        at += len;
    }
    out
}
