//! A server with a small handler, and a client that speaks in bytes.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full};
use raincheck_exchange::upgrade::{Asked, switch};
use raincheck_gateway::server::{
    Abort, Arriving, Bound, BoxError, Front, Handler, Peer, Server, ServerHandle, ServerOptions,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{Notify, Semaphore};

/// What the handler does is named by the path.
#[derive(Debug)]
pub struct Paths {
    /// Requests that reached the handler.
    pub requests: AtomicUsize,
    /// One permit for each request to `/wait` that arrived.
    pub waiting: Semaphore,
    /// Lets one request to `/wait` go on.
    pub release: Arc<Notify>,
    /// One permit for each future of the handler that was dropped before its end.
    pub dropped: Semaphore,
}

/// The handler's answers.
pub enum Answer {
    Whole(Full<Bytes>),
    /// One piece, nothing for a moment, then an error.
    Broken(usize),
    /// Pieces without end.
    Endless,
    /// One piece, and another once it may go on.
    Halves(usize, Pin<Box<OwnedNotified>>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body)
                .poll_frame(cx)
                .map_err(|never| match never {}),
            Self::Broken(polls) => {
                *polls += 1;
                match *polls {
                    1 => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"part"))))),
                    2 => {
                        cx.waker().wake_by_ref();
                        Poll::Pending
                    }
                    _ => Poll::Ready(Some(Err("broken".into()))),
                }
            }
            Self::Halves(given, release) => {
                if *given == 1 {
                    ready!(release.as_mut().poll(cx));
                }
                *given += 1;
                let half = || Ok(Frame::data(Bytes::from_static(b"half ")));
                Poll::Ready((*given <= 2).then(half))
            }
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(
                &[b'x'; 16 * 1024],
            ))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(body) if body.is_end_stream())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Halves(..) => http_body::SizeHint::with_exact(10),
            _ => http_body::SizeHint::default(),
        }
    }
}

impl Answer {
    fn text(text: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(text.into()))
    }
}

/// Counts itself when it is dropped before its end.
struct Watch<'a>(&'a Semaphore, bool);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.add_permits(usize::from(!self.1));
    }
}

impl Handler for Paths {
    type Body = Answer;

    async fn handle(
        &self,
        request: Request<Arriving>,
        peer: Arc<Peer>,
    ) -> Result<Response<Answer>, Abort> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let answer = match request.uri().path() {
            "/echo" => return Ok(echo(request.into_body()).await),
            "/unread" => {
                let mut response = Response::new(Answer::text("no"));
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                return Ok(response);
            }
            "/wait" => {
                let mut watch = Watch(&self.dropped, false);
                self.waiting.add_permits(1);
                self.release.notified().await;
                watch.1 = true;
                Answer::text("waited")
            }
            "/abort" => return Err(Abort),
            "/switch" => {
                let mut response = Response::new(Answer::text(""));
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                return Ok(response);
            }
            "/loud" | "/polite" if request.extensions().get::<Asked>().is_some() => {
                // Only now may the client go on, however early it did.
                self.waiting.add_permits(1);
                self.release.notified().await;
                return Ok(switched(request.uri().path() == "/polite"));
            }
            "/broken" => Answer::Broken(0),
            "/halves" => {
                let release = Arc::clone(&self.release);
                Answer::Halves(0, Box::pin(release.notified_owned()))
            }
            "/endless" => Answer::Endless,
            "/peer" => Answer::text(format!("{} {}", peer.addr, peer.local)),
            path => Answer::text(format!("{} {path}", request.method())),
        };
        Ok(Response::new(answer))
    }
}

/// Goes on in a protocol of its own: what the client sends comes back in capitals, or a goodbye
/// when the server leaves.
fn switched(polite: bool) -> Response<Answer> {
    let response = switch("capitals", move |mut io| async move {
        let mut bytes = [0; 64];
        if polite {
            io.leaving().await;
            let _ = io.write_all(b"bye").await;
        }
        while !polite
            && let Ok(count) = io.read(&mut bytes).await
            && count > 0
        {
            bytes.make_ascii_uppercase();
            let _ = io.write_all(&bytes[..count]).await;
        }
        let _ = io.shutdown().await;
    });
    response.map(|_| Answer::text(""))
}

async fn echo(body: Arriving) -> Response<Answer> {
    match body.collect().await {
        Ok(whole) => Response::new(Answer::text(whole.to_bytes())),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let mut response = Response::new(Answer::text(source.unwrap_or_default()));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

/// A running server.
pub struct Rig {
    pub server: ServerHandle,
    pub paths: Arc<Paths>,
}

impl Rig {
    pub fn start() -> Self {
        Self::with(ServerOptions::default())
    }

    pub fn with(options: ServerOptions) -> Self {
        Self::behind(Front::default(), options)
    }

    pub fn behind(front: Front, options: ServerOptions) -> Self {
        let paths = Arc::new(Paths {
            requests: AtomicUsize::new(0),
            waiting: Semaphore::new(0),
            release: Arc::default(),
            dropped: Semaphore::new(0),
        });
        let bound = Bound::tcp(([127, 0, 0, 1], 0).into()).unwrap();
        let server = Server::start_behind(bound, front, Arc::clone(&paths), options).unwrap();
        Self { server, paths }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.address().tcp().unwrap()
    }

    /// Requests that reached the handler.
    pub fn requests(&self) -> usize {
        self.paths.requests.load(Ordering::SeqCst)
    }

    pub async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.addr()).await.unwrap();
        Client {
            stream,
            read: Vec::new(),
        }
    }

    /// Sends bytes on a connection of their own and reads to its end.
    pub async fn talk(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut client = self.client().await;
        client.send(bytes).await;
        client.rest().await
    }

    /// Waits until a request to `/wait` has arrived.
    pub async fn arrived(&self) {
        self.paths.waiting.acquire().await.unwrap().forget();
    }

    /// Waits until the handler of a request was dropped.
    pub async fn handler_dropped(&self) {
        self.paths.dropped.acquire().await.unwrap().forget();
    }
}

/// Options with all times short.
pub fn impatient() -> ServerOptions {
    let short = Duration::from_millis(100);
    ServerOptions {
        head_timeout: short,
        keep_alive_timeout: short,
        write_idle_timeout: short,
        linger_timeout: short,
        ..ServerOptions::default()
    }
}

/// A client's connection.
pub struct Client {
    pub stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads so much that the end of it is this.
    pub async fn until(&mut self, end: &str) {
        while !self.read.ends_with(end.as_bytes()) {
            let count = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(count > 0, "closed before {end}");
        }
    }

    /// Reads one answer that has a length: its head, and its body.
    pub async fn answer(&mut self) -> (String, String) {
        loop {
            if let Some(found) = split(&self.read) {
                let (head, body, len) = found;
                self.read.drain(..len);
                return (head, body);
            }
            let count = self.stream.read_buf(&mut self.read).await.unwrap();
            assert!(
                count > 0,
                "closed after {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    /// A GET and its answer's body.
    pub async fn get(&mut self, path: &str) -> String {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        self.answer().await.1
    }

    /// Everything up to the end of the connection, which must be a clean one.
    pub async fn rest(&mut self) -> String {
        self.stream.read_to_end(&mut self.read).await.unwrap();
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
    }
}

/// The first whole answer of these bytes: its head, its body, and its length.
fn split(bytes: &[u8]) -> Option<(String, String, usize)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, rest) = text.split_once("\r\n\r\n")?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = rest.get(..length)?;
    Some((head.to_owned(), body.to_owned(), head.len() + 4 + length))
}
