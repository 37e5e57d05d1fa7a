//! Plain requests for the tests that are not about bytes on the wire.

use std::net::SocketAddr;

use crate::raw::{Client, Response};

/// A request to be written out.
#[derive(Clone, Debug)]
pub struct Request {
    addr: SocketAddr,
    method: String,
    target: String,
    host: String,
    headers: Vec<String>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request such as `("POST", "/x?y")` to a server.
    #[must_use]
    pub fn new(addr: SocketAddr, method: &str, target: &str) -> Self {
        Self {
            addr,
            method: method.into(),
            target: target.into(),
            host: addr.to_string(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.headers.push(format!("{name}: {}", value.as_ref()));
        self
    }

    /// Adds `Prefer`.
    #[must_use]
    pub fn prefer(self, value: &str) -> Self {
        self.header("prefer", value)
    }

    /// Names another host than the address.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.into();
        self
    }

    /// Sets the body, sent with a content-length.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    /// The request as bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self {
            method,
            target,
            host,
            ..
        } = self;
        let mut out = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
        for line in &self.headers {
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if let Some(body) = &self.body {
            out.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body.as_deref().unwrap_or_default());
        out
    }

    /// Sends it on a connection of its own and reads the whole response.
    pub async fn send(&self) -> Response {
        let mut client = self.begin().await;
        client.response_to(&self.method).await
    }

    /// Sends it to a server that may die at any moment: a whole response, or none.
    pub async fn try_send(&self) -> Option<Response> {
        let stream = tokio::net::TcpStream::connect(self.addr).await.ok()?;
        let mut client = Client::over(stream);
        client.try_send(self.bytes()).await.ok()?;
        let mut response = client.try_start(&self.method).await.ok()?;
        client.finish(&mut response).await;
        response.is_whole().then_some(response)
    }

    /// Sends it on a connection of its own and leaves the response unread.
    pub async fn begin(&self) -> Client {
        let mut client = Client::connect(self.addr).await;
        client.send(self.bytes()).await;
        client
    }
}
