//! A bad network: a TCP proxy that resets each connection after some bytes of its answers.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::bound::Must;

/// The proxy. Dropping it closes everything.
#[derive(Debug)]
pub struct Cutter {
    addr: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Cutter {
    /// In front of `to`: the first connection is reset after so many bytes of the first entry, and
    /// so on; those beyond the last entry live as long as they like.
    pub async fn start(to: SocketAddr, after: Vec<usize>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.must("a port for the proxy");
        let addr = listener.local_addr().must("the proxy's address");
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut passing = JoinSet::new();
            let mut after = after.into_iter();
            while let Ok((client, _)) = listener.accept().await {
                passing.spawn(pass(client, to, after.next()));
            }
        });
        Self {
            addr,
            _tasks: tasks,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn pass(client: TcpStream, to: SocketAddr, left: Option<usize>) {
    let server = TcpStream::connect(to).await.must("a connection");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let forth = async { _ = tokio::io::copy(&mut from_client, &mut to_server).await };
    let back = async {
        let mut left = left.unwrap_or(usize::MAX);
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(len @ 1..) = from_server.read(&mut buffer).await {
            let passed = len.min(left);
            left -= passed;
            let Some(piece) = buffer.get(..passed) else {
                return false;
            };
            if to_client.write_all(piece).await.is_err() || left == 0 {
                return left == 0;
            }
        }
        false
    };
    let reset = tokio::select! {
        reset = back => reset,
        () = forth => false,
    };
    if reset {
        // Closed with a reset instead of an end.
        _ = SockRef::from(to_client.as_ref()).set_linger(Some(Duration::ZERO));
    }
}
