//! HTTP/2 clients that send frames which only make work.
//!
//! PING, SETTINGS, PRIORITY, resets, empty DATA and the like cost the sender next to nothing and us
//! an answer or a lookup each. What they add up to is allowed in proportion to the payload of the
//! connection, and to its age; a client beyond that is told to calm down, and its connection ended.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::pulse::Pulse;

/// Bytes in front of the first frame: the preface.
const PREFACE: usize = 24;
/// Bytes of a frame's head.
const HEAD: usize = 9;
/// Overhead of one frame at least, whatever its length: it is looked at all the same.
const FRAME: u64 = 16;
/// Overhead that no client has to explain: some two thousand frames.
const FREE: u64 = 32 * 1024;
/// Overhead that a second of a connection's age allows: some 60 frames.
const PER_SECOND: u64 = 1024;
/// One byte of overhead for so many bytes of answers: they are acknowledged by window updates.
const WRITTEN_PER_BYTE: u64 = 16;
/// Overhead that each frame of an answer allows: some clients acknowledge each, twice.
const PER_ANSWER: u64 = 64;
/// `GOAWAY` for stream 0 with the code `ENHANCE_YOUR_CALM` (RFC 9113 sections 6.8 and 7). It says
/// of no stream that it was not processed.
const CALM_DOWN: [u8; 17] = [
    0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0xb,
];
/// Bytes that are dropped at most: whoever sends more does not listen.
const DROPPED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that are read and dropped at a time.
const DROPPED_BYTES: usize = 4 * 1024;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// Counts the overhead of a client's frames.
#[derive(Debug)]
pub(super) struct Flood<S> {
    inner: S,
    /// Where a flood is noted: what hyper makes of an error of ours does not say why.
    pulse: Arc<Pulse>,
    scan: Scan,
    /// Our own frames.
    sent: Scan,
    began: Instant,
    linger: Duration,
    parting: Option<Parting>,
}

/// The end of a connection whose client has sent too much: it is told so, and its bytes are dropped
/// for a while, as a socket that is closed with unread bytes takes back what was said last.
#[derive(Debug)]
struct Parting {
    /// How much of what it is told has been written; none where we are in the middle of a frame.
    told: usize,
    dropped: usize,
    until: Pin<Box<Sleep>>,
}

/// Where in the frames of one side the bytes are, and what they were.
#[derive(Debug, Default)]
struct Scan {
    skip: usize,
    head: [u8; HEAD],
    head_len: usize,
    /// Of frames without payload: bytes, or [`FRAME`] for each where that is more.
    overhead: u64,
    payload: u64,
    /// Frames with payload.
    frames: u64,
}

impl Scan {
    fn new() -> Self {
        Self {
            skip: PREFACE,
            ..Self::default()
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let count = self.skip.min(bytes.len());
                self.skip -= count;
                bytes = bytes.get(count..).unwrap_or_default();
                continue;
            }
            let free = self.head.get_mut(self.head_len..).unwrap_or_default();
            let count = free.len().min(bytes.len());
            let (taken, rest) = bytes.split_at(count);
            for (to, from) in free.iter_mut().zip(taken) {
                *to = *from;
            }
            self.head_len += count;
            bytes = rest;
            if self.head_len == HEAD {
                self.head_len = 0;
                self.frame();
            }
        }
    }

    /// Whether the next byte begins a frame.
    fn is_between(&self) -> bool {
        self.skip == 0 && self.head_len == 0
    }

    fn carries(&mut self, len: u32) {
        self.payload += u64::from(len);
        self.frames += 1;
    }

    /// Counts the frame whose head has come.
    fn frame(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        let len = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(len).unwrap_or(usize::MAX);
        match kind {
            HEADERS => self.carries(len),
            DATA if len > 0 => self.carries(len),
            // How many of them, and how long what they add up to, is bounded below.
            CONTINUATION => self.overhead += FRAME,
            _ => self.overhead += (u64::from(len) + HEAD as u64).max(FRAME),
        }
    }
}

impl<S> Flood<S> {
    /// Watches a connection from its preface on. Whoever floods us is listened to for so long after
    /// it was told to stop.
    pub(super) fn new(inner: S, pulse: Arc<Pulse>, linger: Duration) -> Self {
        Self {
            inner,
            pulse,
            scan: Scan::new(),
            sent: Scan::default(),
            began: Instant::now(),
            linger,
            parting: None,
        }
    }

    fn is_flooded(&self) -> bool {
        let answers = self.sent.payload / WRITTEN_PER_BYTE + self.sent.frames * PER_ANSWER;
        let earned = self.scan.payload + answers;
        // The time is looked at only when the rest does not suffice.
        self.scan.overhead > FREE + earned
            && self.scan.overhead > FREE + earned + self.began.elapsed().as_secs() * PER_SECOND
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Flood<S> {
    /// Tells the client, and drops what it sends. Ready when the connection may end.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(parting) = &mut self.parting else {
            return Poll::Ready(());
        };
        if parting.until.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        while let Some(rest) = CALM_DOWN.get(parting.told..)
            && !rest.is_empty()
        {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, rest)) {
                Ok(count) if count > 0 => parting.told += count,
                _ => return Poll::Ready(()),
            }
        }
        if ready!(Pin::new(&mut self.inner).poll_shutdown(cx)).is_err() {
            return Poll::Ready(());
        }
        let mut space = [0; DROPPED_BYTES];
        loop {
            let mut buf = ReadBuf::new(&mut space);
            let read = ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buf));
            parting.dropped += buf.filled().len();
            let enough = buf.filled().is_empty() || parting.dropped > DROPPED_BYTES_MAX;
            if read.is_err() || enough {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Flood<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.parting.is_none() {
            let from = buf.filled().len();
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            self.scan.take(buf.filled().get(from..).unwrap_or_default());
            if !self.is_flooded() {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(from);
            self.pulse.flood();
            let told = match self.sent.is_between() {
                true => 0,
                false => CALM_DOWN.len(),
            };
            let until = Box::pin(tokio::time::sleep(self.linger));
            self.parting = Some(Parting {
                told,
                dropped: 0,
                until,
            });
        }
        ready!(self.poll_part(cx));
        Poll::Ready(Err(io::Error::other(Flooded)))
    }
}

/// Why the connection of a flooding client ends.
#[derive(Debug, thiserror::Error)]
#[error("too many HTTP/2 frames without payload")]
pub(super) struct Flooded;

impl<S: AsyncWrite + Unpin> AsyncWrite for Flood<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.parting.is_some() {
            // Nothing more is said after the last word.
            return Poll::Ready(Ok(buf.len()));
        }
        let count = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.sent.take(buf.get(..count).unwrap_or_default());
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.parting.is_some() {
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        let count = ready!(Pin::new(&mut self.inner).poll_write_vectored(cx, bufs))?;
        let mut left = count;
        for buf in bufs {
            let taken = left.min(buf.len());
            self.sent.take(buf.get(..taken).unwrap_or_default());
            left -= taken;
        }
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.parting.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.parting.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![len[1], len[2], len[3], kind, 0, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn frames_are_counted_however_the_stream_is_cut() {
        let mut stream = vec![b'x'; PREFACE];
        for (kind, payload) in [
            (4, &[0; 6][..]),
            (1, &[0; 40]),
            (0, &[0; 500]),
            (0, &[]),
            (6, &[0; 8]),
        ] {
            stream.extend(frame(kind, payload));
        }
        for cut in 1..stream.len() {
            let mut scan = Scan::new();
            for piece in stream.chunks(cut) {
                scan.take(piece);
            }
            assert_eq!((scan.payload, scan.overhead), (540, 16 + 16 + 17), "{cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn payload_and_age_pay_for_overhead() {
        let mut flood = Flood::new(tokio::io::empty(), Arc::default(), Duration::ZERO);
        flood.scan.overhead = FREE + 10_000;
        assert!(flood.is_flooded());
        flood.scan.payload = 10_000;
        assert!(!flood.is_flooded());
        flood.scan.payload = 0;
        flood.sent.payload = 10_000 * WRITTEN_PER_BYTE;
        assert!(!flood.is_flooded());
        flood.sent.payload = 0;
        flood.sent.frames = 10_000 / PER_ANSWER + 1;
        assert!(!flood.is_flooded());
        flood.sent.frames = 0;
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
        assert!(!flood.is_flooded());
    }
}
