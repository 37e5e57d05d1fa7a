//! Whatever comes in whatever pieces: what is within the bound comes out as it was, and what goes
//! beyond as a mark.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::Sieve;

/// Bytes that come in pieces of so many, with a pause before each.
struct Pieces {
    bytes: VecDeque<u8>,
    size: usize,
    paused: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        for _ in 0..self.size.min(buf.remaining()) {
            match self.bytes.pop_front() {
                Some(byte) => buf.put_slice(&[byte]),
                None => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [7, 11, 13, 17];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65_536 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&mask);
    let masked = payload.iter().zip(mask.iter().cycle());
    bytes.extend(masked.map(|(byte, mask)| byte ^ mask));
    bytes
}

/// What comes out, in whatever pieces it comes in.
async fn sifted(bytes: &[u8]) -> Vec<u8> {
    let mut first = None;
    for size in [1, 2, 3, 7, 1000, 1_000_000] {
        let pieces = Pieces {
            bytes: bytes.iter().copied().collect(),
            size,
            paused: false,
        };
        let mut out = Vec::new();
        let mut sieve = Sieve::new(pieces, 1000);
        sieve.read_to_end(&mut out).await.unwrap();
        assert_eq!(first.get_or_insert_with(|| out.clone()), &out, "{size}");
    }
    first.unwrap()
}

#[tokio::test]
async fn what_is_within_the_bound_comes_out_as_it_was() {
    let bytes = [
        frame(0x81, b"{}"),
        frame(0x81, &[b'x'; 1000]),
        frame(0x89, b"ping"),
        frame(0x01, &[b'x'; 500]),
        frame(0x8a, b""),
        frame(0x80, &[b'y'; 500]),
        frame(0x82, b"binary"),
        frame(0x88, &[3, 232]),
    ];
    let bytes = bytes.concat();
    assert_eq!(sifted(&bytes).await, bytes);
}

#[tokio::test]
async fn what_goes_beyond_is_a_mark_and_the_next_is_whole() {
    for len in [1001, 65_535, 65_536, 200_000] {
        let bytes = [frame(0x81, &vec![b'x'; len]), frame(0x81, b"{}")].concat();
        let expected = [frame(0x81, b"\0"), frame(0x81, b"{}")].concat();
        assert_eq!(sifted(&bytes).await, expected);
    }
    let parts = [
        frame(0x01, &[b'x'; 900]),
        frame(0x00, &[b'x'; 900]),
        frame(0x89, b"ping"),
        frame(0x80, b"end"),
        frame(0x81, b"{}"),
    ];
    let expected = [
        frame(0x01, &[b'x'; 900]),
        frame(0x00, b"\0"),
        frame(0x89, b"ping"),
        frame(0x80, b"\0"),
        frame(0x81, b"{}"),
    ];
    assert_eq!(sifted(&parts.concat()).await, expected.concat());
}

#[tokio::test]
async fn a_message_that_is_cut_within_a_character_is_still_text() {
    for character in ["é", "ࠀ", "힣", "€", "𐀀", "😀", "\u{10ffff}"] {
        for len in 0..=character.len() {
            // The rest of the character comes with a frame that goes beyond.
            let begun = ["x".repeat(700).as_bytes(), &character.as_bytes()[..len]].concat();
            let rest = [&character.as_bytes()[len..], &[b'y'; 400]].concat();
            let parts = [
                frame(0x01, &begun),
                frame(0x89, b"\xf0ping"),
                frame(0x00, &rest),
                frame(0x80, b"end"),
                frame(0x81, b"{}"),
            ];
            let out = sifted(&parts.concat()).await;
            let text = texts(&out);
            assert_eq!(text.len(), 2, "{character} {len}");
            let first = std::str::from_utf8(&text[0]).unwrap();
            assert!(first.starts_with(&"x".repeat(700)) && first.ends_with('\0'));
            assert_eq!(text[1], b"{}");
        }
    }
}

/// The messages in frames of fewer than 64 KiB, without pings.
fn texts(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = vec![];
    while let [first, second, rest @ ..] = bytes {
        let short = usize::from(second & 0x7f);
        let (len, rest) = match short {
            126 => (
                usize::from(u16::from_be_bytes([rest[0], rest[1]])),
                &rest[2..],
            ),
            len => (len, rest),
        };
        let (mask, rest) = rest.split_at(4);
        let payload = rest[..len].iter().zip(mask.iter().cycle());
        let payload = payload.map(|(byte, mask)| byte ^ mask);
        match first & 0x0f {
            9 => {}
            0 => texts
                .last_mut()
                .map(|text: &mut Vec<u8>| text.extend(payload))
                .unwrap(),
            _ => texts.push(payload.collect()),
        }
        bytes = &rest[len..];
    }
    texts
}

#[tokio::test]
async fn a_length_beyond_everything_is_not_believed() {
    let mut bytes = vec![0x81, 0xff];
    bytes.extend_from_slice(&u64::MAX.to_be_bytes());
    bytes.extend_from_slice(&[7, 11, 13, 17]);
    bytes.extend_from_slice(b"little");
    assert_eq!(sifted(&bytes).await, frame(0x81, b"\0"));
}

#[tokio::test]
async fn what_is_no_frame_is_left_to_the_codec() {
    let bytes = [&[0x83, 0x80, 1, 2, 3, 4][..], b"anything"].concat();
    assert_eq!(sifted(&bytes).await, bytes);
    let cut = frame(0x81, b"{}");
    assert_eq!(sifted(&cut[..1]).await, b"");
}
