//! A connected socket to an upstream: its addresses, TCP, and TLS where asked.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use raincheck_core::route::upstream::Reach;
use raincheck_core::route::{Scheme, Upstream};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpSocket, TcpStream, UnixStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::options::{Error, Options};
use super::socket::Socket;
use super::tls::Tls;

/// How long one address may take before the next is tried beside it (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);
/// After how much silence TCP asks whether the peer's host is still there, how often, how many
/// times. There is no `TCP_USER_TIMEOUT`: it would also cut an upstream that is alive and for a
/// while takes no bytes.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_RETRIES: u32 = 4;

/// Makes connected sockets.
pub(super) struct Connector {
    tls: Tls,
    #[cfg(feature = "testing")]
    dial: Option<Box<dyn crate::testing::Dial>>,
}

impl Connector {
    pub(super) fn new(options: &Options) -> Result<Self, Error> {
        Ok(Self {
            tls: Tls::new(options.extra_ca_file.as_deref())?,
            #[cfg(feature = "testing")]
            dial: None,
        })
    }

    /// Connects over another network than the system's.
    #[cfg(feature = "testing")]
    pub(super) fn over(mut self, dial: Box<dyn crate::testing::Dial>) -> Self {
        self.dial = Some(dial);
        self
    }

    /// Certificates that were read from files of an upstream's own are read again when they are
    /// needed next; those of upstreams that are not used are forgotten.
    pub(super) fn read_files_again(&self, is_used: impl Fn(&Reach) -> bool) {
        self.tls.own().read_again(is_used);
    }

    /// Connects, TLS included. The error says in words why not.
    ///
    /// Cancel safety: dropping the future closes every socket it opened.
    pub(super) async fn connect(&self, upstream: &Upstream) -> Result<Socket, String> {
        #[cfg(feature = "testing")]
        if let Some(dial) = &self.dial {
            return dial.dial(upstream).await.map(Socket::Simulated);
        }
        if let Some(path) = upstream.socket() {
            let connected = UnixStream::connect(path).await;
            let refused = |error| format!("no connection to {}: {error}", upstream.url());
            return connected.map(Socket::Unix).map_err(refused);
        }
        let tcp = any(addresses(upstream).await?).await?;
        match upstream.scheme {
            Scheme::Http => Ok(Socket::Plain(tcp)),
            Scheme::Https => {
                let tls = self.tls.handshake(upstream, tcp).await?;
                Ok(Socket::Tls(Box::new(tls)))
            }
        }
    }
}

/// The addresses of an upstream, the two families in turn, as the system sorted them.
async fn addresses(upstream: &Upstream) -> Result<Vec<SocketAddr>, String> {
    let host = upstream.host.as_str();
    let found = lookup_host((host, upstream.port))
        .await
        .map_err(|error| no_address(host, &error))?;
    let found: Vec<SocketAddr> = found.collect();
    let Some(first) = found.first() else {
        return Err(format!("the name {host} has no address"));
    };
    let (preferred, other): (Vec<_>, Vec<_>) = found
        .iter()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut others = other.into_iter();
    let mut sorted = Vec::with_capacity(found.len());
    for address in preferred {
        sorted.push(address);
        sorted.extend(others.next());
    }
    sorted.extend(others);
    Ok(sorted)
}

fn no_address(host: &str, error: &io::Error) -> String {
    let text = error.to_string();
    let reason = text
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&text);
    format!("the name {host} cannot be resolved: {reason}")
}

/// The first of the addresses that answers; a slow one does not keep the next from being tried.
pub(crate) async fn any(addresses: Vec<SocketAddr>) -> Result<TcpStream, String> {
    if let [address] = *addresses {
        return one(address).await;
    }
    let mut waiting = addresses.into_iter();
    let mut tries = JoinSet::new();
    let mut problems: Vec<String> = Vec::new();
    loop {
        let more = waiting.next().map(|address| tries.spawn(one(address)));
        let ended = if more.is_some() {
            match timeout(STAGGER, tries.join_next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            }
        } else {
            tries.join_next().await
        };
        match ended {
            Some(Ok(Ok(tcp))) => return Ok(tcp),
            Some(Ok(Err(problem))) if !problems.contains(&problem) => problems.push(problem),
            Some(_) => {}
            None => return Err(problems.join("; ")),
        }
    }
}

async fn one(address: SocketAddr) -> Result<TcpStream, String> {
    let connecting = async {
        let socket = if address.is_ipv6() {
            TcpSocket::new_v6()?
        } else {
            TcpSocket::new_v4()?
        };
        socket.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE_IDLE)
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        SockRef::from(&socket).set_tcp_keepalive(&keepalive)?;
        socket.connect(address).await
    };
    connecting.await.map_err(|error| refused(address, &error))
}

fn refused(address: SocketAddr, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("connection refused by {address}"),
        io::ErrorKind::ConnectionReset => format!("connection reset by {address}"),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("no route to {address}")
        }
        io::ErrorKind::TimedOut => format!("no reply from {address}"),
        _ => format!("no connection to {address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::net::TcpListener;

    use super::any;

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn another_address_is_tried_when_one_refuses() {
        let (closed, first) = listener().await;
        drop(closed);
        let (_open, second) = listener().await;
        let tcp = any(vec![first, second]).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), second);
    }

    #[tokio::test]
    async fn when_all_refuse_all_are_named() {
        let (first, second) = (listener().await.1, listener().await.1);
        let problem = any(vec![first, second, first]).await.unwrap_err();
        let expected = format!("connection refused by {first}; connection refused by {second}");
        assert_eq!(problem, expected);
    }
}
