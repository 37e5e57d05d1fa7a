//! One end of a connection, as the programs on either side see it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep_until};

use super::lane::{Found, Line};
use super::{Host, Net};

/// One end of a connection. Dropped, the other end sees its end, or a reset.
pub struct Pipe {
    line: Arc<Line>,
    end: usize,
    timer: Option<Pin<Box<Sleep>>>,
    resets: AtomicBool,
    /// A second connection that gets every byte too: the network of a broken world.
    shadow: Option<Box<Pipe>>,
}

impl Pipe {
    /// Both ends of a connection; the first is on `from`, the second is not accepted yet.
    pub(super) fn pair(net: Net, from: Host, packets_left: Option<u64>) -> (Self, Self) {
        let line = Arc::new(Line::new(net, from.clone(), packets_left));
        from.owns(&line);
        let end = |end| Self {
            line: Arc::clone(&line),
            end,
            timer: None,
            resets: AtomicBool::new(false),
            shadow: None,
        };
        (end(0), end(1))
    }

    pub(super) fn belongs_to(&self, host: Host) {
        host.owns(&self.line);
        self.line.accepted(host);
    }

    /// Breaks the connection for both ends.
    pub fn reset(&self) {
        self.line.reset_both(std::time::Duration::ZERO);
    }

    /// Sends every byte on another connection too.
    pub fn shadowed(mut self, shadow: Self) -> Self {
        self.shadow = Some(Box::new(shadow));
        self
    }

    fn stands_still(&self, cx: &Context<'_>) -> bool {
        let host = self.line.host(self.end);
        host.is_some_and(|host| host.stands_still(cx))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.line.close(self.end, self.resets.load(Relaxed));
    }
}

impl AsyncRead for Pipe {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.stands_still(cx) {
                return Poll::Pending;
            }
            let at = match self.line.read(self.end, buf.remaining(), cx.waker()) {
                Found::Bytes(bytes) => {
                    buf.put_slice(&bytes);
                    return Poll::Ready(Ok(()));
                }
                Found::End => return Poll::Ready(Ok(())),
                Found::Broken(error) => return Poll::Ready(Err(error)),
                Found::Later(None) => return Poll::Pending,
                Found::Later(Some(at)) => at,
            };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(at)));
            if timer.deadline() != at || timer.is_elapsed() {
                timer.as_mut().reset(at);
            }
            // It never fires early, so what was waited for is there when it does.
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.stands_still(cx) {
            return Poll::Pending;
        }
        let count = match self.line.write(self.end, buf, cx.waker())? {
            Some(count) => count,
            None => return Poll::Pending,
        };
        if let Some(shadow) = &mut self.shadow {
            // The double is not flow-controlled: what does not fit is its loss.
            let _ = Pin::new(shadow).poll_write(cx, &buf[..count]);
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stands_still(cx) {
            return Poll::Pending;
        }
        self.line.finish(self.end);
        Poll::Ready(Ok(()))
    }
}

impl raincheck_gateway::testing::Wire for Pipe {
    fn abort(&self) {
        self.resets.store(true, Relaxed);
    }
}

impl raincheck_upstreams::testing::Wire for Pipe {
    fn has_news(&self) -> bool {
        self.line.has_news(self.end)
    }

    fn reset_on_close(&self) {
        self.resets.store(true, Relaxed);
    }
}
