//! A client that speaks HTTP/1.1 in bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::rig::soon;

/// One connection.
pub struct Client {
    tcp: TcpStream,
    read: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub line: String,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn status(&self) -> u16 {
        self.line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn field(&self, name: &str) -> Option<&str> {
        self.all(name).into_iter().next()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        let own = self.fields.iter().filter(|(field, _)| field == name);
        own.map(|(_, value)| value.as_str()).collect()
    }

    pub fn id(&self) -> raincheck_core::id::JobId {
        assert_eq!(self.status(), 202, "{self:?}");
        self.field("raincheck-job-id").unwrap().parse().unwrap()
    }
}

impl Client {
    pub async fn new(addr: SocketAddr) -> Self {
        Self {
            tcp: TcpStream::connect(addr).await.unwrap(),
            read: Vec::new(),
        }
    }

    /// Sends a request with these fields, each ending in a line break.
    pub async fn send(&mut self, method: &str, fields: &str, body: &[u8]) {
        let len = match body.len() {
            0 => String::new(),
            len => format!("content-length: {len}\r\n"),
        };
        let head = format!("{method} /work HTTP/1.1\r\nhost: a.example\r\n{fields}{len}\r\n");
        self.tcp.write_all(head.as_bytes()).await.unwrap();
        self.tcp.write_all(body).await.unwrap();
    }

    /// The whole answer to a request with this method.
    pub async fn reply(&mut self, method: &str) -> Reply {
        soon(async {
            let mut reply = self.head().await;
            let empty = method == "HEAD" || [204, 304].contains(&reply.status());
            if let Some(len) = reply.field("content-length").filter(|_| !empty) {
                let len = len.parse().unwrap();
                reply.body = self.take(len).await;
            } else if reply.field("transfer-encoding") == Some("chunked") && !empty {
                reply.body = self.chunks().await;
            }
            reply
        })
        .await
    }

    /// The head of an answer.
    pub async fn head(&mut self) -> Reply {
        let text = self.line_until("\r\n\r\n").await;
        let mut lines = text.split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Reply {
            line,
            fields,
            body: Vec::new(),
        }
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.line_until("\r\n").await;
            let len = usize::from_str_radix(line.trim(), 16).unwrap();
            body.extend(self.take(len).await);
            self.line_until("\r\n").await;
            if len == 0 {
                return body;
            }
        }
    }

    /// The next so many bytes.
    pub async fn take_bytes(&mut self, len: usize) -> Vec<u8> {
        soon(self.take(len)).await
    }

    /// The next chunk; empty: the last.
    pub async fn chunk(&mut self) -> Vec<u8> {
        soon(async {
            let line = self.line_until("\r\n").await;
            let len = usize::from_str_radix(line.trim(), 16).unwrap();
            let bytes = self.take(len).await;
            self.line_until("\r\n").await;
            bytes
        })
        .await
    }

    async fn take(&mut self, len: usize) -> Vec<u8> {
        while self.read.len() < len {
            self.more().await;
        }
        self.read.drain(..len).collect()
    }

    async fn line_until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|at| at == end.as_bytes());
            if let Some(at) = found {
                let taken = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let got = soon(self.tcp.read_buf(&mut self.read)).await.unwrap();
        assert_ne!(
            got,
            0,
            "closed after {:?}",
            String::from_utf8_lossy(&self.read)
        );
    }

    /// One request and its answer.
    pub async fn ask(&mut self, method: &str, fields: &str, body: &[u8]) -> Reply {
        self.send(method, fields, body).await;
        self.reply(method).await
    }
}

impl Client {
    /// Waits for the end of the connection, which comes after exactly these bytes.
    pub async fn is_cut_after(&mut self, bytes: &[u8]) {
        while soon(self.tcp.read_buf(&mut self.read))
            .await
            .is_ok_and(|got| got > 0)
        {}
        assert_eq!(self.read, bytes);
    }
}
