//! HTTP/2 clients that send frames which only make work.
//!
//! PING, SETTINGS, PRIORITY, resets, empty DATA and the like cost the sender next to nothing and us
//! an answer or a lookup each. What they add up to is allowed in proportion to the payload of the
//! connection, and to its age; a client far beyond that is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// Bytes in front of the first frame: the preface.
const PREFACE: usize = 24;
/// Bytes of a frame's head.
const HEAD: usize = 9;
/// Bytes of overhead that no client has to explain.
const FREE: u64 = 1024 * 1024;
/// Bytes of overhead a second of a connection's age allows: some 60 PINGs.
const PER_SECOND: u64 = 1024;
/// One byte of overhead for so many bytes that we have sent: they are acknowledged by window
/// updates.
const WRITTEN_PER_BYTE: u64 = 16;

const DATA: u8 = 0;
const HEADERS: u8 = 1;

/// Counts the overhead of a client's frames.
#[derive(Debug)]
pub(super) struct Flood<S> {
    inner: S,
    scan: Scan,
    began: Instant,
    written: u64,
}

/// Where in the frames a client's bytes are, and what they were.
#[derive(Debug, Default)]
struct Scan {
    skip: usize,
    head: [u8; HEAD],
    head_len: usize,
    overhead: u64,
    payload: u64,
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

    /// Counts the frame whose head has come.
    fn frame(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        let len = u32::from_be_bytes([0, high, middle, low]);
        self.skip = usize::try_from(len).unwrap_or(usize::MAX);
        match kind {
            HEADERS => self.payload += u64::from(len),
            DATA if len > 0 => self.payload += u64::from(len),
            _ => self.overhead += u64::from(len) + HEAD as u64,
        }
    }
}

impl<S> Flood<S> {
    /// Watches a connection from its preface on.
    pub(super) fn new(inner: S) -> Self {
        Self {
            inner,
            scan: Scan::new(),
            began: Instant::now(),
            written: 0,
        }
    }

    fn is_flooded(&self) -> bool {
        let earned = self.scan.payload + self.written / WRITTEN_PER_BYTE;
        // The time is looked at only when the rest does not suffice.
        self.scan.overhead > FREE + earned
            && self.scan.overhead > FREE + earned + self.began.elapsed().as_secs() * PER_SECOND
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Flood<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let from = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.scan.take(buf.filled().get(from..).unwrap_or_default());
        if self.is_flooded() {
            return Poll::Ready(Err(io::Error::other(
                "too many HTTP/2 frames without payload",
            )));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Flood<S> {
    fn count(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = written {
            self.written += count as u64;
        }
        written
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Flood<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.count(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.count(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
            assert_eq!((scan.payload, scan.overhead), (540, 15 + 9 + 17), "{cut}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn payload_and_age_pay_for_overhead() {
        let mut flood = Flood::new(tokio::io::empty());
        flood.scan.overhead = FREE + 10_000;
        assert!(flood.is_flooded());
        flood.scan.payload = 10_000;
        assert!(!flood.is_flooded());
        flood.scan.payload = 0;
        flood.written = 10_000 * WRITTEN_PER_BYTE;
        assert!(!flood.is_flooded());
        flood.written = 0;
        tokio::time::advance(std::time::Duration::from_secs(10)).await;
        assert!(!flood.is_flooded());
    }
}
