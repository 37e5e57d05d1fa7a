//! Where sockets are, and who comes through them.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;

use super::{Setting, Wrong, several, text};
use crate::plan::{Address, Peers};
use crate::tree::Node;

/// Bytes of the path of a Unix socket that every kernel takes.
const UNIX_PATH_BYTES: usize = 100;

/// The permissions of a Unix socket's file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileMode(pub(crate) u32);

impl Setting for Address {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        let wrong = |reason: &str| Err(vec![Wrong::new(node, reason)]);
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => wrong("it has no path"),
                _ if path.contains('\0') => wrong("it is not a path"),
                _ if path.len() > UNIX_PATH_BYTES => {
                    wrong("the path of a Unix socket has at most 100 bytes")
                }
                _ => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        match text.strip_prefix("fd:") {
            Some("") => wrong("it names no socket"),
            Some(name) => Ok(Self::Passed(name.to_owned())),
            None => SocketAddr::read(node).map(Self::Tcp),
        }
    }
}

impl Setting for FileMode {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        match u32::from_str_radix(text, 8) {
            Ok(mode) if mode <= 0o777 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(Self(mode)),
            _ => Err(vec![Wrong::new(node, "it is not octal permissions")]),
        }
    }
}

impl Setting for SocketAddr {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let text = text(node)?;
        text.parse().map_err(|_| {
            let wrong = Wrong::new(node, "it is not an IP address and a port");
            match text.rsplit_once(':') {
                Some(("" | "*", port)) if port.parse::<u16>().is_ok() => {
                    wrong.with_help(format!("write \"0.0.0.0:{port}\" for all addresses"))
                }
                Some(("localhost", port)) if port.parse::<u16>().is_ok() => {
                    wrong.with_help(format!("write \"127.0.0.1:{port}\""))
                }
                None if text.parse::<u16>().is_ok() => {
                    wrong.with_help(format!("write \"0.0.0.0:{text}\" for all addresses"))
                }
                _ => vec![wrong],
            }
        })
    }
}

impl Setting for Peers {
    fn read(node: &Node) -> Result<Self, Vec<Wrong>> {
        let parts = several(node, |part| {
            let text = text(part)?;
            if text == "unix" {
                return Ok(None);
            }
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            let network = text.parse::<IpNet>().or_else(|_| address());
            let wrong = |_| vec![Wrong::new(part, "it is not a network or address")];
            network.map(Some).map_err(wrong)
        })?;
        Ok(Self {
            unix: parts.iter().any(Option::is_none),
            networks: parts.into_iter().flatten().collect(),
        })
    }
}
