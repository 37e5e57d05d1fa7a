//! Bytes between two streams until both have ended, or nothing has moved for too long.
//!
//! An idle tunnel has no buffer: bytes are read into the stack and written at once, and only what
//! the other side does not take is kept, at most [`PIECE_BYTES`] each way. While something is kept
//! nothing more is read, so that a slow reader slows down its peer.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Bytes that are moved at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the upstream.
    Up,
    /// From the upstream to the client.
    Down,
}

/// How a tunnel ended.
#[derive(Debug)]
pub enum End {
    /// Both sides have said all they had to say.
    Closed,
    /// Nothing moved for as long as it may.
    Idle,
    /// One side broke.
    Broken(Way, io::Error),
}

/// Copies both ways. The end of one side's bytes is passed on, and the other side may go on. Says
/// how many bytes went where, as they go.
///
/// Cancel safety: dropping the future loses what was read and not written.
pub async fn copy(
    client: impl AsyncRead + AsyncWrite + Unpin,
    upstream: impl AsyncRead + AsyncWrite + Unpin,
    idle: Option<Duration>,
    mut passed: impl FnMut(Way, usize),
) -> End {
    let (mut client, mut upstream) = (client, upstream);
    let (mut up, mut down) = (Lane::default(), Lane::default());
    let mut patience = pin!(idle.map(Patience::new));
    poll_fn(|cx| {
        let mut moved = false;
        let mut count = |way, bytes| {
            moved = true;
            passed(way, bytes);
        };
        let sent = up.poll(&mut client, &mut upstream, cx, |bytes| {
            count(Way::Up, bytes)
        });
        if let Poll::Ready(Err(error)) = sent {
            return Poll::Ready(End::Broken(Way::Up, error));
        }
        let got = down.poll(&mut upstream, &mut client, cx, |bytes| {
            count(Way::Down, bytes);
        });
        if let Poll::Ready(Err(error)) = got {
            return Poll::Ready(End::Broken(Way::Down, error));
        }
        if sent.is_ready() && got.is_ready() {
            return Poll::Ready(End::Closed);
        }
        match patience.as_mut().as_pin_mut() {
            Some(patience) => patience.poll(moved, cx).map(|()| End::Idle),
            None => Poll::Pending,
        }
    })
    .await
}

/// One direction.
#[derive(Default)]
struct Lane {
    /// What was read and not taken, from `given` on.
    kept: Vec<u8>,
    given: usize,
    /// Whether there is nothing more to read.
    ended: bool,
    /// Whether the other side knows that.
    told: bool,
}

impl Lane {
    /// Ready at the end, or when a side breaks.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        mut passed: impl FnMut(usize),
    ) -> Poll<io::Result<()>> {
        while !self.told {
            while let Some(rest) = self.kept.get(self.given..).filter(|rest| !rest.is_empty()) {
                let count = ready!(Pin::new(&mut *to).poll_write(cx, rest))?;
                self.took(count)?;
                passed(count);
            }
            (self.kept, self.given) = (Vec::new(), 0);
            if self.ended {
                ready!(Pin::new(&mut *to).poll_shutdown(cx))?;
                self.told = true;
                break;
            }
            let mut space = [MaybeUninit::uninit(); PIECE_BYTES];
            let mut buf = ReadBuf::uninit(&mut space);
            if Pin::new(&mut *from).poll_read(cx, &mut buf)?.is_pending() {
                // Whoever gathers writes, as TLS does, is to send them before we wait.
                ready!(Pin::new(&mut *to).poll_flush(cx))?;
                return Poll::Pending;
            }
            match buf.filled() {
                [] => self.ended = true,
                bytes => self.pass(bytes, to, cx, &mut passed)?,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what there is room for, and keeps the rest.
    fn pass(
        &mut self,
        bytes: &[u8],
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
        passed: &mut impl FnMut(usize),
    ) -> io::Result<()> {
        let count = match Pin::new(to).poll_write(cx, bytes)? {
            Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
            Poll::Ready(count) => {
                passed(count);
                count
            }
            Poll::Pending => 0,
        };
        let rest = bytes.get(count..).unwrap_or_default();
        self.kept = rest.to_vec();
        Ok(())
    }

    fn took(&mut self, count: usize) -> io::Result<()> {
        self.given += count;
        match count {
            0 => Err(io::ErrorKind::WriteZero.into()),
            _ => Ok(()),
        }
    }
}

pin_project_lite::pin_project! {
    /// For how long nothing may move. Its timer is not touched by what moves: when it fires, it looks
    /// when that was.
    struct Patience {
        idle: Duration,
        moved: Instant,
        #[pin]
        timer: Sleep,
    }
}

impl Patience {
    fn new(idle: Duration) -> Self {
        Self {
            idle,
            moved: Instant::now(),
            timer: sleep(idle),
        }
    }

    fn poll(self: Pin<&mut Self>, moved: bool, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if moved {
            *this.moved = Instant::now();
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let until = *this.moved + *this.idle;
            if Instant::now() >= until {
                return Poll::Ready(());
            }
            this.timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests;
