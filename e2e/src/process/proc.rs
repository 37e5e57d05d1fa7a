//! What the kernel knows about a process.

use std::collections::HashSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};

fn status_bytes(pid: u32, key: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text
        .lines()
        .find(|line| line.starts_with(key))
        .unwrap_or_default();
    let kib = line
        .split_ascii_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Resident memory in bytes.
#[must_use]
pub fn memory_now(pid: u32) -> u64 {
    status_bytes(pid, "VmRSS:")
}

/// The most resident memory that the process ever had, in bytes.
#[must_use]
pub fn memory_peak(pid: u32) -> u64 {
    status_bytes(pid, "VmHWM:")
}

fn socket_inodes(pid: u32) -> HashSet<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return HashSet::new();
    };
    entries
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            let text = link.to_string_lossy().into_owned();
            Some(text.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect()
}

/// How many sockets the process has open, listeners included.
#[must_use]
pub fn sockets(pid: u32) -> usize {
    socket_inodes(pid).len()
}

/// How many of its sockets are connected to this peer.
#[must_use]
pub fn sockets_to(pid: u32, peer: SocketAddr) -> usize {
    let inodes = socket_inodes(pid);
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).unwrap_or_default();
    table
        .lines()
        .skip(1)
        .filter(|line| {
            let columns: Vec<_> = line.split_ascii_whitespace().collect();
            let remote = columns.get(2).and_then(|text| address(text));
            remote == Some(peer) && columns.get(9).is_some_and(|inode| inodes.contains(*inode))
        })
        .count()
}

/// `0100007F:1F90`: the address in the machine's byte order, the port in the network's.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = u32::from_str_radix(ip, 16).ok()?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((Ipv4Addr::from(ip.to_ne_bytes()), port).into())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        let text = format!("{loopback:08X}:1F90");
        assert_eq!(address(&text), "127.0.0.1:8080".parse().ok());
    }
}
