//! The PROXY protocol, versions 1 and 2: a proxy that passes on bytes says first whose they are.
//!
//! The header is looked at without taking it from the socket until it is whole, so that not a byte
//! of what follows is read here.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use ppp::{HeaderResult, PartialResult, v1, v2};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncReadExt, Interest};

use crate::address::Address;
use crate::connection::stream::Raw;

/// Bytes of a header at most, with all that a version 2 header may carry beside addresses.
const HEADER_BYTES_MAX: usize = 4 * 1024;

/// How a header of version 1 begins.
const V1: &[u8] = b"PROXY ";

/// Bytes of a header of version 1 at most.
const V1_BYTES_MAX: usize = 107;

/// Whose connection it is, and where it was meant to go: nothing where the proxy speaks for itself,
/// or does not know.
pub(crate) type Ends = Option<(Address, Address)>;

/// Reads a header. What is not one is an error.
pub(crate) async fn read(raw: &mut Raw) -> io::Result<Ends> {
    let (len, ends) = match raw {
        Raw::Tcp(stream) => {
            let look = || look(stream.as_fd());
            stream.async_io(Interest::READABLE, look).await?
        }
        Raw::Unix(stream) => {
            let look = || look(stream.as_fd());
            stream.async_io(Interest::READABLE, look).await?
        }
    };
    let mut header = vec![0; len];
    raw.read_exact(&mut header).await?;
    Ok(ends)
}

/// Looks at what has come: the header's length and what it says, or that more must come.
fn look(socket: BorrowedFd<'_>) -> io::Result<(usize, Ends)> {
    let mut bytes = [0; HEADER_BYTES_MAX];
    let (_, count) = recv(socket, &mut bytes, RecvFlags::PEEK)?;
    match count {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => parse(bytes.get(..count).unwrap_or_default()),
    }
}

/// The length of the header at the front of these bytes, and what it says.
fn parse(bytes: &[u8]) -> io::Result<(usize, Ends)> {
    // The parser takes a number that is cut for a whole one.
    let line = bytes.get(..V1_BYTES_MAX).unwrap_or(bytes);
    let begun = line.iter().zip(V1).all(|(one, other)| one == other);
    if begun && line.len() < V1_BYTES_MAX && !line.contains(&b'\n') {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let header = HeaderResult::parse(bytes);
    if header.is_incomplete() && bytes.len() < HEADER_BYTES_MAX {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    match header {
        HeaderResult::V1(header) => {
            let header = header.map_err(|error| wrong(error.to_string()))?;
            let end = memchr::memmem::find(bytes, b"\r\n");
            let len = end.ok_or_else(|| wrong("it has no end".to_owned()))? + 2;
            Ok((len, ends_of_v1(&header.addresses)))
        }
        HeaderResult::V2(header) => {
            let header = header.map_err(|error| wrong(error.to_string()))?;
            let ends = match header.command {
                v2::Command::Local => None,
                v2::Command::Proxy => ends_of_v2(&header.addresses),
            };
            Ok((header.len(), ends))
        }
    }
}

fn ends_of_v1(addresses: &v1::Addresses) -> Ends {
    match addresses {
        v1::Addresses::Unknown => None,
        v1::Addresses::Tcp4(ip) => Some(ends_of_ipv4(ip)),
        v1::Addresses::Tcp6(ip) => Some(ends_of_ipv6(ip)),
    }
}

fn ends_of_v2(addresses: &v2::Addresses) -> Ends {
    match addresses {
        v2::Addresses::Unspecified => None,
        v2::Addresses::IPv4(ip) => Some(ends_of_ipv4(ip)),
        v2::Addresses::IPv6(ip) => Some(ends_of_ipv6(ip)),
        v2::Addresses::Unix(_) => Some((Address::Unix(None), Address::Unix(None))),
    }
}

fn ends_of_ipv4(ip: &ppp::v2::IPv4) -> (Address, Address) {
    let source = SocketAddr::from((ip.source_address, ip.source_port));
    let destination = SocketAddr::from((ip.destination_address, ip.destination_port));
    (Address::Tcp(source), Address::Tcp(destination))
}

fn ends_of_ipv6(ip: &ppp::v2::IPv6) -> (Address, Address) {
    let source = SocketAddr::from((ip.source_address, ip.source_port));
    let destination = SocketAddr::from((ip.destination_address, ip.destination_port));
    (Address::Tcp(source), Address::Tcp(destination))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(from: &str, to: &str) -> Ends {
        let address = |text: &str| Address::Tcp(text.parse().unwrap());
        Some((address(from), address(to)))
    }

    const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    /// A header of version 2: version and command, family, addresses and more.
    fn version2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &len, rest].concat()
    }

    #[test]
    fn both_versions_say_whose_the_connection_is() {
        let four = [192, 0, 2, 7, 10, 0, 0, 1, 0x0f, 0xa0, 0, 80];
        // What follows the addresses is not looked at, and not left behind.
        let with_more = [&four[..], &[0xea, 0, 3, 1, 2, 3]].concat();
        let six = [&[0x20, 1, 0xd, 0xb8][..], &[0; 28], &[0x0f, 0xa0, 0, 80]].concat();
        for (header, said) in [
            (
                b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 80\r\n".to_vec(),
                ends("192.0.2.7:4000", "10.0.0.1:80"),
            ),
            (
                b"PROXY TCP6 2001:db8::1 ::1 4000 80\r\n".to_vec(),
                ends("[2001:db8::1]:4000", "[::1]:80"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n".to_vec(), None),
            (
                version2(0x21, 0x11, &four),
                ends("192.0.2.7:4000", "10.0.0.1:80"),
            ),
            (
                version2(0x21, 0x11, &with_more),
                ends("192.0.2.7:4000", "10.0.0.1:80"),
            ),
            (
                version2(0x21, 0x21, &six),
                ends("[2001:db8::]:4000", "[::]:80"),
            ),
            (version2(0x20, 0x11, &four), None),
            (version2(0x20, 0, &[]), None),
            (version2(0x21, 0, &[]), None),
        ] {
            let stream = [&header[..], b"GET / HTTP/1.1\r\n\r\n"].concat();
            assert_eq!(parse(&stream).unwrap(), (header.len(), said));
            for cut in 1..header.len() {
                let more = parse(&header[..cut]).unwrap_err();
                assert_eq!(
                    more.kind(),
                    io::ErrorKind::WouldBlock,
                    "{cut} of {header:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_and_not_waited_for() {
        for bytes in [
            &b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"[..],
            b"PROXY TCP4 192.0.2.7 10.0.0.1 4000 99999\r\n",
            b"PROXY UDP4 192.0.2.7 10.0.0.1 4000 80\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &version2(0x11, 0x11, &[0; 12]),
            &version2(0x21, 0x11, &[0; 4]),
            &version2(0x21, 0x11, &[0; 5000])[..HEADER_BYTES_MAX],
        ] {
            let error = parse(bytes).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{bytes:?}");
        }
    }
}
