//! A client that writes exactly the bytes it is given and shows exactly what came back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::bound::{Must, WAIT, within, within_time};
use crate::pattern;
use crate::wire::{Body, Decoder, End, Fill, Framing, Head, NoHead, Piece, Wire};

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// In order.
    Eof,
    /// By a reset.
    Reset,
}

/// One connection to a server.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    bound: Duration,
}

impl Client {
    /// Connects.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = within("connecting", TcpStream::connect(addr))
            .await
            .must("a connection");
        Self::over(stream)
    }

    /// Uses a connection that is there already.
    #[must_use]
    pub fn over(stream: TcpStream) -> Self {
        Self {
            wire: Wire::new(stream),
            bound: WAIT,
        }
    }

    /// Connects with a receive buffer as small as the kernel allows, to be a slow reader.
    pub async fn connect_narrow(addr: SocketAddr) -> Self {
        let client = Self::connect(addr).await;
        let _ = SockRef::from(&client.wire.stream).set_recv_buffer_size(4096);
        client
    }

    /// Gives every later wait another bound.
    #[must_use]
    pub fn with_bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// Writes all of these bytes.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes)
            .await
            .must("the server should still read");
    }

    /// Writes these bytes; the server may refuse them by closing.
    ///
    /// # Errors
    /// When the server has closed.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        within_time(
            self.bound,
            "the server to take bytes",
            self.wire.write(bytes.as_ref()),
        )
        .await
    }

    /// Writes `len` bytes of the pattern.
    pub async fn send_pattern(&mut self, len: u64) {
        let mut offset = 0;
        while offset < len {
            let piece = pattern::bytes(offset, (len - offset).min(1 << 18) as usize);
            self.send(&piece).await;
            offset += piece.len() as u64;
        }
    }

    /// Writes until the server has taken nothing for half a second, or `most` bytes are gone, and
    /// returns how many went. A slow server looks stuck too: good only for upper bounds.
    pub async fn send_until_stuck(&mut self, most: u64) -> u64 {
        let piece = vec![0; 64 << 10];
        let mut taken = 0;
        while taken <= most {
            let writable = self.wire.stream.writable();
            if tokio::time::timeout(Duration::from_millis(500), writable)
                .await
                .is_err()
            {
                break;
            }
            match self.wire.stream.try_write(&piece) {
                Ok(len) => taken += len as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => break,
            }
        }
        taken
    }

    /// Reads one head, interim or final.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn try_head(&mut self) -> Result<Head, NoHead> {
        within_time(self.bound, "a response head", self.wire.read_head()).await
    }

    /// Reads the final response's head; the body is read with [`Client::piece`].
    pub async fn start(&mut self, method: &str) -> Response {
        self.try_start(method).await.must("a response head")
    }

    /// Reads the final response's head.
    ///
    /// # Errors
    /// When the connection ends first.
    pub async fn try_start(&mut self, method: &str) -> Result<Response, NoHead> {
        let mut informational = Vec::new();
        loop {
            let head = self.try_head().await?;
            let status = status_of(&head);
            if (100..200).contains(&status) && status != 101 {
                informational.push(head);
                continue;
            }
            let decoder = Decoder::new(framing(method, status, &head));
            return Ok(Response {
                status,
                head,
                informational,
                body: Body::unread(),
                decoder,
            });
        }
    }

    /// Reads one whole response to a request with this method.
    pub async fn response_to(&mut self, method: &str) -> Response {
        let mut response = self.start(method).await;
        self.finish(&mut response).await;
        response
    }

    /// Reads one whole response to a request that was not HEAD.
    pub async fn response(&mut self) -> Response {
        self.response_to("GET").await
    }

    /// Reads the rest of a started response.
    pub async fn finish(&mut self, response: &mut Response) {
        let rest = response.body.read(&mut response.decoder, &mut self.wire);
        within_time(self.bound, "the rest of the body", rest).await;
    }

    /// Reads the next piece of a started response's body.
    pub async fn piece(&mut self, response: &mut Response) -> Piece {
        let next = response.decoder.next(&mut self.wire);
        let piece = within_time(self.bound, "more of the body", next).await;
        match &piece {
            Piece::Data(data) => response.body.feed(data),
            Piece::End(end) => {
                response.body.end = end.clone();
                response
                    .body
                    .trailers
                    .clone_from(&response.decoder.trailers);
            }
        }
        piece
    }

    /// Reads pieces until the body has at least `len` bytes.
    pub async fn read_until(&mut self, response: &mut Response, len: u64) {
        while response.body.len() < len {
            if let Piece::End(end) = self.piece(response).await {
                panic!(
                    "the body ended ({end:?}) after {} of {len} bytes",
                    response.body.len()
                );
            }
        }
    }

    /// Sends a request and reads the whole response.
    pub async fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        let method = String::from_utf8_lossy(request.as_ref());
        let method = method.split(' ').next().unwrap_or_default().to_owned();
        self.send(request).await;
        self.response_to(&method).await
    }

    /// Reads so many bytes, whatever they are.
    pub async fn exactly(&mut self, count: usize) -> Vec<u8> {
        within_time(self.bound, "more bytes", async {
            while self.wire.unused().len() < count {
                let fill = self.wire.fill().await;
                assert!(matches!(fill, Fill::Data), "closed too early");
            }
        })
        .await;
        self.wire.split(count)
    }

    /// Reads everything until the server closes.
    pub async fn rest(&mut self) -> (Vec<u8>, Close) {
        let bound = self.bound;
        within_time(bound, "the server to close", async {
            loop {
                match self.wire.fill().await {
                    Fill::Data => {}
                    Fill::Eof => return (self.wire.unused().to_vec(), Close::Eof),
                    Fill::Reset => return (self.wire.unused().to_vec(), Close::Reset),
                }
            }
        })
        .await
    }

    /// Fails unless the server closes without another byte.
    pub async fn expect_closed(&mut self) {
        let (rest, _) = self.rest().await;
        let text = String::from_utf8_lossy(&rest);
        assert!(
            rest.is_empty(),
            "expected the connection to close, but more came: {text}"
        );
    }

    /// Closes the sending side only.
    pub async fn half_close(&mut self) {
        self.wire
            .stream
            .shutdown()
            .await
            .must("closing the sending side");
    }

    /// Resets the connection.
    pub fn reset(self) {
        SockRef::from(&self.wire.stream)
            .set_linger(Some(Duration::ZERO))
            .must("linger of zero");
    }
}

fn status_of(head: &Head) -> u16 {
    let status = head
        .start
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    status.must(&format!("a status in {:?}", head.start))
}

fn framing(method: &str, status: u16, head: &Head) -> Framing {
    if method == "HEAD" || status == 204 || status == 304 || status == 101 {
        return Framing::Empty;
    }
    head.framing(Framing::Close)
}

/// A response as it came over the wire.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The final head.
    pub head: Head,
    /// Interim heads that came before it.
    pub informational: Vec<Head>,
    /// The body as far as it was read.
    pub body: Body,
    decoder: Decoder,
}

impl Response {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.get(name)
    }

    /// All values of a header, in order.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.head.all(name)
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.body.text()
    }

    /// The body as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).must(&format!("JSON, but status {}: {text}", self.status))
    }

    /// The trailers as text.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, String)> {
        self.body.trailer_text()
    }

    /// How the body ended.
    #[must_use]
    pub fn end(&self) -> &End {
        &self.body.end
    }

    /// Whether the client can know that it has all of the body.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.body.end == End::Complete
    }

    /// Fails unless the status is this one and the body is whole.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.head.start, self.text());
        assert_eq!(
            self.body.end,
            End::Complete,
            "the body of {} should be whole",
            self.head.start
        );
        self
    }
}
