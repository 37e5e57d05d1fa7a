//! A connection to a target: the guard, TCP, the proxy, TLS.

use std::io;

use raincheck_core::callback::TryError;
use raincheck_core::egress::{Host, Target};
use raincheck_core::route::Scheme;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};

use super::Egress;
use crate::push::connect::any;

/// Addresses of one name that are tried.
pub(super) const ADDRESSES: usize = 8;
/// Bytes of a proxy's answer.
const PROXY_HEAD_BYTES: usize = 8 * 1024;

/// What HTTP is spoken on.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Egress {
    /// Connects to a target, or refuses to.
    ///
    /// Cancel safety: dropping the future closes every socket it opened.
    pub(super) async fn connect(&self, target: &Target) -> Result<Box<dyn Wire>, TryError> {
        self.rules.check(target).map_err(|_| TryError::Denied)?;
        let tcp = match &self.proxy {
            Some((host, port)) => self.through(host, *port, target).await?,
            None => {
                let addresses = self.addresses(target).await;
                if addresses.is_empty() {
                    return Err(TryError::Denied);
                }
                any(addresses).await.map_err(|_| TryError::Connect)?
            }
        };
        match target.scheme {
            Scheme::Http => Ok(Box::new(tcp)),
            Scheme::Https => {
                let connector = self.connector().await.ok_or(TryError::Tls)?;
                let name = server_name(target).ok_or(TryError::Tls)?;
                let shaken = connector.connect(name, tcp).await;
                Ok(Box::new(shaken.map_err(|_| TryError::Tls)?))
            }
        }
    }

    /// A tunnel through the proxy. The operator chose it, so its address is not checked.
    async fn through(&self, host: &str, port: u16, target: &Target) -> Result<TcpStream, TryError> {
        let addresses = lookup_host((host, port)).await;
        let addresses: Vec<_> = addresses.map_err(|_| TryError::Proxy)?.collect();
        let mut tcp = any(addresses).await.map_err(|_| TryError::Proxy)?;
        match tunnel(&mut tcp, &target.authority()).await {
            Ok(true) => Ok(tcp),
            Ok(false) | Err(_) => Err(TryError::Proxy),
        }
    }
}

/// Asks for a tunnel; whether it was granted. What follows the head is the target's, so it is read
/// byte by byte: nobody speaks before us, and it is a few hundred bytes once.
async fn tunnel(tcp: &mut TcpStream, authority: &str) -> io::Result<bool> {
    let request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    tcp.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= PROXY_HEAD_BYTES {
            return Ok(false);
        }
        head.push(tcp.read_u8().await?);
    }
    Ok(head.starts_with(b"HTTP/1.1 2") || head.starts_with(b"HTTP/1.0 2"))
}

fn server_name(target: &Target) -> Option<ServerName<'static>> {
    match &target.host {
        Host::Name(name) => ServerName::try_from(name.clone()).ok(),
        Host::Address(address) => Some(ServerName::IpAddress((*address).into())),
    }
}
