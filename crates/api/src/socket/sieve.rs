//! Keeps a socket whole whose client sends too large a message: of a frame that goes beyond the
//! bound only a mark is passed on, [`CUT`], so that the codec behind stays in step and never holds
//! more than the bound. Where the message was cut within a character, the mark ends that first: the
//! codec would take half a character for a client that breaks the protocol.

use std::io::{self, Cursor};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

/// What stands in the place of what went beyond. JSON cannot end with it.
pub(super) const CUT: char = '\0';

/// The longest frame header (RFC 6455 section 5.2).
const HEADER: usize = 14;

/// Reads frames and lets through what is within the bound.
pub(super) struct Sieve<T> {
    io: T,
    most: u64,
    /// Bytes of the message that the frames so far belong to.
    message: u64,
    /// The last of them that were passed on.
    tail: Tail,
    header: Piece,
    /// What is to be passed on before anything else is read.
    ready: Piece,
    state: State,
}

enum State {
    /// The next bytes are a frame's header.
    Header,
    /// So many of the payload are passed on, which may belong to a message.
    Pass(u64, Option<Masked>),
    /// So many of the payload are left out.
    Drop(u64),
    /// What follows is no WebSocket, as whoever reads it will say.
    Broken,
}

/// A mask, and how many bytes it has covered.
#[derive(Clone, Copy)]
struct Masked {
    mask: [u8; 4],
    at: u64,
}

impl Masked {
    fn new(mask: Option<[u8; 4]>) -> Self {
        Self {
            mask: mask.unwrap_or_default(),
            at: 0,
        }
    }

    /// The next byte, masked or unmasked.
    fn next(&mut self, byte: u8) -> u8 {
        let index = usize::try_from(self.at % 4).unwrap_or_default();
        self.at += 1;
        byte ^ self.mask.get(index).copied().unwrap_or_default()
    }
}

/// The last bytes of a text.
#[derive(Clone, Copy, Default)]
struct Tail([u8; 3]);

impl Tail {
    fn push(&mut self, byte: u8) {
        let [_, before, last] = self.0;
        self.0 = [before, last, byte];
    }

    /// What ends a character that has begun (RFC 3629 section 4).
    fn missing(self) -> &'static [u8] {
        match self.0 {
            [_, _, 0xf0] => &[0x90, 0x80, 0x80],
            [_, _, 0xf1..=0xf4] => &[0x80, 0x80, 0x80],
            [_, _, 0xe0] => &[0xa0, 0x80],
            [_, _, 0xe1..=0xef] | [_, 0xf0..=0xf4, 0x80..=0xbf] => &[0x80, 0x80],
            [_, _, 0xc2..=0xdf]
            | [_, 0xe0..=0xef, 0x80..=0xbf]
            | [0xf0..=0xf4, 0x80..=0xbf, 0x80..=0xbf] => &[0x80],
            _ => &[],
        }
    }
}

/// A few bytes.
#[derive(Default)]
struct Piece {
    bytes: [u8; HEADER + 1],
    from: u8,
    to: u8,
}

impl Piece {
    fn filled(&self) -> &[u8] {
        self.bytes
            .get(usize::from(self.from)..usize::from(self.to))
            .unwrap_or_default()
    }

    fn set(&mut self, bytes: &[u8]) {
        *self = Self::default();
        for (to, from) in self.bytes.iter_mut().zip(bytes) {
            *to = *from;
            self.to += 1;
        }
    }
}

impl<T> Sieve<T> {
    /// Lets through messages of at most so many bytes.
    pub(super) fn new(io: T, most: usize) -> Self {
        Self {
            io,
            most: most as u64,
            message: 0,
            tail: Tail::default(),
            header: Piece::default(),
            ready: Piece::default(),
            state: State::Header,
        }
    }

    /// Takes a header that may be whole, and says how many bytes of it are missing.
    fn take_header(&mut self) -> usize {
        let filled = self.header.filled();
        let missing = whole(filled).saturating_sub(filled.len());
        if missing > 0 {
            return missing;
        }
        let parsed = FrameHeader::parse(&mut Cursor::new(filled));
        let Ok(Some((header, len))) = parsed else {
            self.ready = std::mem::take(&mut self.header);
            self.state = State::Broken;
            return 0;
        };
        let mut masked = None;
        if let OpCode::Data(kind) = header.opcode {
            if kind != Data::Continue {
                (self.message, self.tail) = (0, Tail::default());
            }
            self.message = self.message.saturating_add(len);
            if self.message > self.most {
                self.mark(&header);
                self.state = State::Drop(len);
                return 0;
            }
            masked = Some(Masked::new(header.mask));
        }
        self.ready = std::mem::take(&mut self.header);
        self.state = State::Pass(len, masked);
        0
    }

    /// Puts the mark in the place of a frame's payload.
    fn mark(&mut self, header: &FrameHeader) {
        let missing = std::mem::take(&mut self.tail).missing();
        let mut masked = Masked::new(header.mask);
        let mut short = Vec::with_capacity(HEADER);
        // Writing to a vector does not fail.
        _ = header.format(missing.len() as u64 + 1, &mut short);
        let payload = missing.iter().copied().chain([CUT as u8]);
        short.extend(payload.map(|byte| masked.next(byte)));
        self.ready.set(&short);
        self.header = Piece::default();
    }

    /// Notes what a text ends with so far.
    fn note(&mut self, passed: &[u8], mut masked: Masked) -> Masked {
        for byte in passed {
            let byte = masked.next(*byte);
            self.tail.push(byte);
        }
        masked
    }
}

/// How long a header is that begins like this.
fn whole(begun: &[u8]) -> usize {
    let [_, second, ..] = begun else { return 2 };
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    2 + extended + mask
}

impl<T: AsyncRead + Unpin> Sieve<T> {
    /// Reads at most `most` bytes; none at the end.
    fn poll_some(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(into);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Sieve<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let ready = this.ready.filled();
            if !ready.is_empty() {
                let len = ready.len().min(buf.remaining());
                buf.put_slice(ready.get(..len).unwrap_or_default());
                this.ready.from += u8::try_from(len).unwrap_or(u8::MAX);
                return Poll::Ready(Ok(()));
            }
            match this.state {
                State::Broken => return Pin::new(&mut this.io).poll_read(cx, buf),
                State::Pass(0, _) | State::Drop(0) => this.state = State::Header,
                State::Pass(left, masked) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX);
                    let most = most.min(buf.remaining());
                    let len = ready!(this.poll_some(cx, buf.initialize_unfilled_to(most)))?;
                    buf.advance(len);
                    let from = buf.filled().len() - len;
                    let passed = buf.filled().get(from..).unwrap_or_default();
                    let masked = masked.map(|masked| this.note(passed, masked));
                    this.state = State::Pass(left - len as u64, masked);
                    return Poll::Ready(Ok(()));
                }
                State::Drop(left) => {
                    let mut scratch = [0; 1024];
                    let most = scratch
                        .len()
                        .min(usize::try_from(left).unwrap_or(usize::MAX));
                    let into = scratch.get_mut(..most).unwrap_or_default();
                    let len = ready!(this.poll_some(cx, into))?;
                    if len == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    this.state = State::Drop(left - len as u64);
                }
                State::Header => {
                    let missing = this.take_header();
                    let mut some = [0; HEADER];
                    let Some(into) = some.get_mut(..missing).filter(|into| !into.is_empty()) else {
                        continue;
                    };
                    let len = ready!(this.poll_some(cx, into))?;
                    if len == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    let sofar =
                        [this.header.filled(), some.get(..len).unwrap_or_default()].concat();
                    this.header.set(&sofar);
                }
            }
        }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Sieve<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
