//! A backend by script: every request is a value in the test's hands, answered when the test says.

use std::net::Ipv4Addr;

use raincheck_core::route::{Scheme, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::rig::soon;

/// A listening backend.
pub struct Backend {
    pub upstream: Upstream,
    calls: UnboundedReceiver<Call>,
}

/// A request that was read whole, and the connection on which it waits for its answer.
pub struct Call {
    pub head: String,
    pub body: Vec<u8>,
    tcp: TcpStream,
}

impl Backend {
    pub async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let upstream = upstream(listener.local_addr().unwrap().port());
        let (told, calls) = unbounded_channel();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let told = told.clone();
                tokio::spawn(async move {
                    if let Some(call) = Call::read(tcp).await {
                        _ = told.send(call);
                    }
                });
            }
        });
        Self { upstream, calls }
    }

    /// The next request.
    pub async fn call(&mut self) -> Call {
        soon(self.calls.recv()).await.unwrap()
    }

    /// Whether a request came that the test has not taken.
    pub fn was_called(&mut self) -> bool {
        self.calls.try_recv().is_ok()
    }
}

/// A port of this machine.
pub fn upstream(port: u16) -> Upstream {
    Upstream::new(Scheme::Http, "127.0.0.1", port)
}

impl Call {
    async fn read(mut tcp: TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let end = loop {
            if tcp.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut body = bytes.split_off(end);
        let len = field(&head, "content-length").map_or(0, |len| len.parse().unwrap());
        while body.len() < len {
            if tcp.read_buf(&mut body).await.ok()? == 0 {
                return None;
            }
        }
        Some(Self { head, body, tcp })
    }

    /// A request field's value.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// Answers and closes.
    pub async fn answer(self, status: u16, fields: &str, body: &str) {
        let len = body.len();
        let text = format!("HTTP/1.1 {status} Said\r\n{fields}content-length: {len}\r\n\r\n{body}");
        self.raw(&text).await;
    }

    /// Writes these bytes and closes. The last head among them says so, or the gateway could put
    /// the next request on a connection that is about to close.
    pub async fn raw(mut self, text: &str) {
        let text = match text.rsplit_once("\r\n\r\n") {
            Some((head, body)) => format!("{head}\r\nconnection: close\r\n\r\n{body}"),
            None => text.to_owned(),
        };
        self.tcp.write_all(text.as_bytes()).await.unwrap();
        self.tcp.shutdown().await.unwrap();
    }

    /// Writes these bytes and goes on.
    pub async fn write(&mut self, text: &str) {
        self.tcp.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits until the gateway has closed the connection.
    pub async fn closed(mut self) {
        let mut rest = [0; 1024];
        soon(async { while matches!(self.tcp.read(&mut rest).await, Ok(1..)) {} }).await;
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .next()
}
