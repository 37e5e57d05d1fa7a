//! Backends that cannot be reached, on ports that nobody else can take meanwhile.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};
use tokio::net::TcpStream;

use crate::bound::{Must, within};

fn bound_socket() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).must("a socket");
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    socket.bind(&any_port.into()).must("a port");
    let addr = socket
        .local_addr()
        .ok()
        .and_then(|addr| addr.as_socket())
        .must("its address");
    (socket, addr)
}

/// A port that is taken but does not listen: connecting is refused.
#[derive(Debug)]
pub struct Down {
    _socket: Socket,
    addr: SocketAddr,
}

impl Down {
    /// Takes a port.
    #[must_use]
    pub fn new() -> Self {
        let (socket, addr) = bound_socket();
        Self {
            _socket: socket,
            addr,
        }
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Starts to listen on the port, so that a script can serve it from now on.
    #[must_use]
    pub fn come_up(self) -> tokio::net::TcpListener {
        self._socket.listen(1024).must("listening");
        self._socket
            .set_nonblocking(true)
            .must("a non-blocking socket");
        tokio::net::TcpListener::from_std(self._socket.into()).must("a listener")
    }
}

impl Default for Down {
    fn default() -> Self {
        Self::new()
    }
}

/// A port whose backlog is full and that never accepts: connecting hangs.
#[derive(Debug)]
pub struct Full {
    _socket: Socket,
    _fillers: Vec<TcpStream>,
    addr: SocketAddr,
}

impl Full {
    /// Takes a port and fills its backlog.
    pub async fn new() -> Self {
        let (socket, addr) = bound_socket();
        socket.listen(0).must("listening");
        let mut fillers = Vec::new();
        // With a backlog of 0 the kernel completes one connection; later ones stay unanswered.
        fillers.push(
            within("the first filler", TcpStream::connect(addr))
                .await
                .must("a filler"),
        );
        Self {
            _socket: socket,
            _fillers: fillers,
            addr,
        }
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}
