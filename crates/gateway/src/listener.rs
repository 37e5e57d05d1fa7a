//! Open sockets that take clients: how each kind is opened, taken over, and accepted from.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::limits;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::accept::AnySocket;
use crate::address::Address;

/// How long a peer may say nothing at all, not even to TCP, before the kernel asks whether it is
/// still there. It is what finds a client that vanished during an hour-long wait.
const TCP_KEEPALIVE: Duration = Duration::from_secs(60);

/// Bytes that the kernel holds for a client beyond what is on the wire. Without this a slow reader
/// fills a send buffer of megabytes, and the kernel reports progress only by the third of it, so
/// that an honest 20 KB/s would look like a client that takes nothing for a minute.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT_BYTES: u32 = 256 * 1024;

/// An open socket that nobody serves yet. It can be passed on to another process as it is.
#[derive(Debug)]
pub struct Bound {
    listener: Kind,
    local: Address,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Bound {
    /// Opens a port, with a backlog that does not drop a burst of clients. Nothing is accepted
    /// before a server is started with it.
    ///
    /// # Errors
    /// The address is in use, not ours, or not allowed.
    pub fn tcp(addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(addr),
            Type::STREAM.nonblocking().cloexec(),
            Some(Protocol::TCP),
        )?;
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(limits::LISTEN_BACKLOG)?;
        Self::from_tcp(socket.into())
    }

    /// Opens a Unix socket at a path, with these permissions of its file. What a process that died
    /// left there is replaced; nothing else is.
    ///
    /// # Errors
    /// Somebody listens there ([`io::ErrorKind::AddrInUse`]), something other than a socket is
    /// there ([`io::ErrorKind::AlreadyExists`]), the path is too long or not allowed.
    pub fn unix(path: &Path, mode: u32) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
        let addr = SockAddr::unix(path)?;
        remove_stale(path)?;
        socket.bind(&addr)?;
        // Before it listens nobody can connect, so that there is no moment with other permissions.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        socket.listen(limits::LISTEN_BACKLOG)?;
        Self::from_unix(socket.into())
    }

    /// Takes over a TCP socket that already listens.
    ///
    /// # Errors
    /// It is not a listening socket.
    pub fn from_tcp(listener: TcpListener) -> io::Result<Self> {
        let local = Address::Tcp(listener.local_addr()?);
        let socket = SockRef::from(&listener);
        socket.set_nonblocking(true)?;
        // Accepted sockets inherit these, which saves a system call each.
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(TCP_KEEPALIVE)
            .with_interval(TCP_KEEPALIVE / 4);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
        let listener = Kind::Tcp(listener);
        Ok(Self { listener, local })
    }

    /// Takes over a Unix socket that already listens.
    ///
    /// # Errors
    /// It is not a listening socket.
    pub fn from_unix(listener: UnixListener) -> io::Result<Self> {
        let path = listener.local_addr()?.as_pathname().map(Arc::from);
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: Kind::Unix(listener),
            local: Address::Unix(path),
        })
    }

    /// The same socket once more.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        let listener = match &self.listener {
            Kind::Tcp(listener) => Kind::Tcp(listener.try_clone()?),
            Kind::Unix(listener) => Kind::Unix(listener.try_clone()?),
        };
        let local = self.local.clone();
        Ok(Self { listener, local })
    }

    /// Takes over a socket that already listens, of whichever kind.
    ///
    /// # Errors
    /// It is not a listening socket of a kind we know.
    pub fn from_socket(socket: OwnedFd) -> io::Result<Self> {
        let unix = SockRef::from(&socket).domain()? == Domain::UNIX;
        match unix {
            true => Self::from_unix(socket.into()),
            false => Self::from_tcp(socket.into()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.local
    }

    /// Registers it with the current runtime.
    pub(crate) fn listen(self) -> io::Result<AnySocket> {
        Ok(match self.listener {
            Kind::Tcp(listener) => AnySocket::Tcp(tokio::net::TcpListener::from_std(listener)?),
            Kind::Unix(listener) => AnySocket::Unix(tokio::net::UnixListener::from_std(listener)?),
        })
    }
}

impl AsFd for Bound {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.listener {
            Kind::Tcp(listener) => listener.as_fd(),
            Kind::Unix(listener) => listener.as_fd(),
        }
    }
}

/// Removes a socket that nobody listens on.
fn remove_stale(path: &Path) -> io::Result<()> {
    let there = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        there => there?,
    };
    if !there.file_type().is_socket() {
        let kind = io::ErrorKind::AlreadyExists;
        return Err(io::Error::new(kind, "there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        // A full backlog, or no right to connect: somebody may well be there.
        Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn any_port() -> Bound {
        Bound::tcp(([127, 0, 0, 1], 0).into()).unwrap()
    }

    fn tcp(bound: &Bound) -> &TcpListener {
        match &bound.listener {
            Kind::Tcp(listener) => listener,
            Kind::Unix(_) => panic!("not TCP"),
        }
    }

    #[test]
    fn accepted_sockets_inherit_what_the_listener_was_told() {
        let bound = any_port();
        let _client = TcpStream::connect(bound.address().tcp().unwrap()).unwrap();
        let accepted = loop {
            match tcp(&bound).accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
            }
        };
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        #[cfg(any(target_os = "linux", target_os = "android"))]
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
    }

    #[test]
    fn a_port_in_use_is_an_error_and_one_just_left_is_not() {
        let bound = any_port();
        assert!(Bound::tcp(bound.address().tcp().unwrap()).is_err());
        // What allows a restart while old connections still linger.
        assert!(SockRef::from(tcp(&bound)).reuse_address().unwrap());
    }

    #[test]
    fn a_unix_socket_is_replaced_only_where_nobody_listens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.sock");
        let bound = Bound::unix(&path, 0o600).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            bound.address().to_string(),
            format!("unix:{}", path.display())
        );
        let taken = Bound::unix(&path, 0o600).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        drop(bound);
        drop(Bound::unix(&path, 0o660).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "notes").unwrap();
        let occupied = Bound::unix(&path, 0o600).unwrap_err();
        assert_eq!(occupied.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"notes");
    }
}
