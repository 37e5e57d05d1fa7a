//! Tells the supervisor what systemd's `sd_notify` would: that we are ready, and who we are.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Says these lines, such as `READY=1`, to the supervisor, if there is one that listens.
pub fn notify(lines: &str) {
    let Some(address) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    if let Err(error) = send(address.as_bytes(), lines) {
        tracing::warn!(%error, "the supervisor cannot be told (NOTIFY_SOCKET)");
    }
}

fn send(address: &[u8], lines: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    let address = match address.split_first() {
        // The socket has no file, but a name that begins with a zero byte.
        Some((b'@', name)) => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(address))?,
    };
    socket.send_to_addr(lines.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_hears_by_path_and_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let named = format!("raincheck-test-{}", std::process::id());
        let name = SocketAddr::from_abstract_name(&named).unwrap();
        let sockets = [
            UnixDatagram::bind(&path).unwrap(),
            UnixDatagram::bind_addr(&name).unwrap(),
        ];
        let addresses = [
            path.into_os_string().into_encoded_bytes(),
            format!("@{named}").into_bytes(),
        ];
        for (socket, address) in sockets.iter().zip(addresses) {
            send(&address, "READY=1").unwrap();
            let mut bytes = [0; 64];
            let len = socket.recv(&mut bytes).unwrap();
            assert_eq!(&bytes[..len], b"READY=1");
        }
    }
}
