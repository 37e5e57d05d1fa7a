//! A backend by script: a listener whose connections are read and written byte by byte.

use std::net::{Ipv4Addr, SocketAddr};

use raincheck_core::route::{Scheme, Upstream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A listening backend.
pub struct Backend {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Backend {
    pub async fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    pub fn upstream(&self) -> Upstream {
        Upstream::new(Scheme::Http, "127.0.0.1", self.address.port())
    }

    /// The next connection.
    pub async fn accept(&self) -> Peer {
        let (tcp, _) = self.listener.accept().await.unwrap();
        Peer {
            tcp,
            read: Vec::new(),
        }
    }

    /// The next connection, and the request on it up to the end of its head.
    pub async fn request(&self) -> (Peer, String) {
        let mut peer = self.accept().await;
        let head = peer.head().await;
        (peer, head)
    }
}

/// The backend's side of a connection.
pub struct Peer {
    pub tcp: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    /// Reads a request up to the end of its head.
    pub async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// The head of the next request, unless the connection is closed before it.
    pub async fn next_head(&mut self) -> Option<String> {
        let begun = !self.read.is_empty() || self.tcp.peek(&mut [0]).await.unwrap() > 0;
        if begun { Some(self.head().await) } else { None }
    }

    /// Reads up to and including some text.
    pub async fn until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                let taken = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            let mut chunk = [0; 4096];
            let bytes = self.tcp.read(&mut chunk).await.unwrap();
            assert_ne!(bytes, 0, "closed before {end:?}");
            self.read.extend_from_slice(&chunk[..bytes]);
        }
    }

    pub async fn write(&mut self, text: &str) {
        self.tcp.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits until the other side has closed the connection, in whatever way.
    pub async fn closed(&mut self) {
        let mut chunk = vec![0; 65536];
        while let Ok(bytes) = self.tcp.read(&mut chunk).await {
            if bytes == 0 {
                return;
            }
        }
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.tcp.set_zero_linger().unwrap();
    }
}
