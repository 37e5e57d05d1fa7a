//! A long wait for an answer, without hyper.
//!
//! While a backend works for minutes, hyper keeps for its connection a buffer to write and one to
//! read, of 8 KiB each, a channel of 10 KiB and a task of 4 KiB. So when the request is wholly sent
//! and nothing has come for a while, the socket is taken out of it. When something comes, another
//! hyper gets the socket with a request that has the same framing of its answer; that is written to
//! nobody. So all that HTTP says stays hyper's business.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, Request};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

use super::answer::Answer;
use super::body::{OutBody, WireBody};
use super::conn::Conn;
use super::lease::Lease;
use super::link::Link;
use super::send::{self, Refused};
use super::silence::{Silence, Timer};
use super::stream::Stream;
use super::words::{self, Phase};

/// Bytes of an answer that are read before hyper reads on.
const NEWS_BYTES: usize = 512;

/// A connection without hyper, in the middle of an exchange.
struct Parked {
    /// There until it goes back to hyper.
    stream: Option<Stream>,
    link: Arc<Link>,
    timer: Timer,
}

impl Drop for Parked {
    fn drop(&mut self) {
        if self.stream.is_some() {
            self.link.kill();
        }
    }
}

impl Parked {
    /// The first bytes of the answer, none at the end of the stream.
    fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(Vec::new()));
        };
        let mut space = [0; NEWS_BYTES];
        let mut buf = ReadBuf::new(&mut space);
        let read = ready!(Pin::new(stream).poll_read(cx, &mut buf));
        Poll::Ready(read.map(|()| buf.filled().to_vec()))
    }
}

/// Waits for an answer on a connection whose task has left hyper, and goes on with it.
///
/// Cancel safety: dropping the future closes the connection.
pub(super) async fn wait(
    lease: Lease,
    is_head: bool,
    idle: Option<Duration>,
    since: Instant,
) -> Result<Answer, Refused> {
    let Lease {
        conn,
        host,
        permit,
        place,
    } = lease;
    let (stream, link, timer) = conn.remains().await;
    let mut parked = Parked {
        stream,
        link,
        timer,
    };
    let mut silence = Silence::from(idle, since.max(parked.link.moved()));
    let came = poll_fn(|cx| {
        if let Poll::Ready(news) = parked.poll_news(cx) {
            return Poll::Ready(Ok(news));
        }
        silence.poll(&mut parked.timer, &parked.link, cx).map(Err)
    });
    let news = came.await.map_err(|limit| silent(limit, &parked.link))?;
    let Some(mut stream) = parked.stream.take() else {
        return Err(Refused::Failed(words::lost(&parked.link)));
    };
    stream.repeats(news);
    let (link, timer) = (Arc::clone(&parked.link), parked.timer.take());
    let started = Conn::start_again(stream, link, timer, stand_in(is_head)).await;
    let (conn, sent) = started.map_err(Refused::Failed)?;
    let mut lease = Lease {
        conn,
        host,
        permit,
        place,
    };
    let conn = &mut *lease.conn;
    let mut sent = pin!(sent);
    let came = poll_fn(|cx| {
        if let Poll::Ready(answered) = sent.as_mut().poll(cx) {
            return Poll::Ready(Ok(answered));
        }
        silence.poll(&mut conn.timer, &conn.link, cx).map(Err)
    });
    let answered = came.await.map_err(|limit| silent(limit, &conn.link))?;
    let response = answered
        .map_err(|error| Refused::Failed(words::broken(error.error(), &conn.link, Phase::Head)))?;
    send::answer(response, lease, idle).map_err(Refused::Failed)
}

fn silent(limit: Duration, link: &Link) -> Refused {
    Refused::Failed(words::silent(limit, link, Phase::Head))
}

/// A request whose answer is framed as that of the one that was sent (RFC 9112 section 6.3).
fn stand_in(is_head: bool) -> Request<WireBody> {
    let mut request = Request::new(WireBody::new(OutBody::Empty));
    if is_head {
        *request.method_mut() = Method::HEAD;
    }
    request
}
