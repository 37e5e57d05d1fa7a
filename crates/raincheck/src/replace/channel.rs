//! What two processes of one gateway say to each other, and the sockets that go along: messages of
//! JSON over a Unix socket that keeps them apart, each with at most one open file.
//!
//! All calls block, and none for longer than the time it is given.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};
use serde_json::{Value, json};

/// Bytes of one message: a listener's address, or the reason of a refusal.
const MESSAGE_BYTES: usize = 16 * 1024;
/// A wait that ends with the other side.
pub const FOR_EVER: Duration = Duration::MAX;
/// Both sides must speak the same version of this protocol.
pub const PROTOCOL: u64 = 1;

/// One end of the conversation.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// Where a successor is awaited: a socket in the data directory, so that whoever may use the data
/// may take over, and nobody else.
#[derive(Debug)]
pub struct Post(OwnedFd);

/// A message.
#[derive(Debug)]
pub struct Message {
    /// What it says.
    pub says: Value,
    /// What came along.
    pub file: Option<OwnedFd>,
}

impl Message {
    /// Which message it is.
    pub fn kind(&self) -> &str {
        self.text("kind")
    }

    /// A member that is text; empty if there is none.
    pub fn text(&self, name: &str) -> &str {
        self.says
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A member that is a number; zero if there is none.
    pub fn number(&self, name: &str) -> u64 {
        self.says
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    }
}

fn socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC;
    Ok(rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        flags,
        None,
    )?)
}

/// The socket's address. A path may be longer than such an address can be; the directory, once it
/// is open, has a short name.
fn with_address<T>(
    dir: &Path,
    name: &str,
    then: impl FnOnce(&SocketAddrUnix) -> io::Result<T>,
) -> io::Result<T> {
    use std::os::fd::AsRawFd;
    let dir = std::fs::File::open(dir)?;
    let short = format!("/proc/self/fd/{}/{name}", dir.as_raw_fd());
    then(&SocketAddrUnix::new(short)?)
}

impl Post {
    /// Awaits successors in `dir`. Whoever holds the lock of the directory may do so: what an
    /// earlier process left there is removed.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(dir: &Path, name: &str) -> io::Result<Self> {
        match std::fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = socket()?;
        with_address(dir, name, |address| {
            Ok(rustix::net::bind(&socket, address)?)
        })?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(dir.join(name), mode)?;
        rustix::net::listen(&socket, 4)?;
        Ok(Self(socket))
    }

    /// Waits for the next one who calls.
    ///
    /// # Errors
    /// The socket was closed by [`Post::close`], or what the system says.
    pub fn accept(&self) -> io::Result<Channel> {
        let flags = SocketFlags::CLOEXEC;
        Ok(Channel(rustix::net::accept_with(&self.0, flags)?))
    }

    /// Ends the wait.
    pub fn close(&self) {
        _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Both);
    }
}

impl Channel {
    /// Calls the process that serves from `dir`.
    ///
    /// # Errors
    /// Nobody is there.
    pub fn call(dir: &Path, name: &str) -> io::Result<Self> {
        let socket = socket()?;
        with_address(dir, name, |address| {
            Ok(rustix::net::connect(&socket, address)?)
        })?;
        Ok(Self(socket))
    }

    /// Says something; `file` goes along.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn say(&self, says: &Value, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let text = says.to_string();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = SendAncillaryBuffer::new(&mut space);
        let files;
        if let Some(file) = file {
            files = [file];
            along.push(SendAncillaryMessage::ScmRights(&files));
        }
        let text = [IoSlice::new(text.as_bytes())];
        rustix::net::sendmsg(&self.0, &text, &mut along, SendFlags::NOSIGNAL)?;
        Ok(())
    }

    /// The next message of the other side. Waits for it at most this long.
    ///
    /// # Errors
    /// The other side is gone, said nothing in time, or something that is no message.
    pub fn hear(&self, patience: Duration) -> io::Result<Message> {
        let patience = (patience < FOR_EVER).then_some(patience);
        set_socket_timeout(&self.0, Timeout::Recv, patience)?;
        let mut bytes = vec![0; MESSAGE_BYTES];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let flags = RecvFlags::CMSG_CLOEXEC;
        let got = rustix::net::recvmsg(&self.0, &mut slices, &mut along, flags)?;
        let file = along.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut files) => files.next(),
            _ => None,
        });
        if got.bytes == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let said = bytes.get(..got.bytes).unwrap_or_default();
        let says = serde_json::from_slice(said).map_err(io::Error::other)?;
        Ok(Message { says, file })
    }

    /// The next message, which must be of this kind. A refusal is an error with its reason.
    ///
    /// # Errors
    /// As [`Channel::hear`], or a refusal, or another message.
    pub fn expect(&self, kind: &str, patience: Duration) -> io::Result<Message> {
        let message = self.hear(patience)?;
        match message.kind() {
            known if known == kind => Ok(message),
            "refused" => Err(io::Error::other(message.text("why").to_owned())),
            other => Err(io::Error::other(format!(
                "{kind} was expected, but {other} came"
            ))),
        }
    }

    /// Says no.
    pub fn refuse(&self, why: &str) {
        _ = self.say(&json!({ "kind": "refused", "why": why }), None);
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[test]
    fn messages_and_files_arrive_however_long_the_path_is() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("x".repeat(200));
        std::fs::create_dir(&dir).unwrap();
        let post = Post::open(&dir, "post").unwrap();
        // Again, as after a crash.
        drop(post);
        let post = Post::open(&dir, "post").unwrap();
        let (one, _other) = UnixStream::pair().unwrap();
        let caller = Channel::call(&dir, "post").unwrap();
        let called = post.accept().unwrap();
        caller
            .say(&json!({ "kind": "a", "n": 7 }), Some(one.as_fd()))
            .unwrap();
        caller.say(&json!({ "kind": "b" }), None).unwrap();
        let first = called.expect("a", SOON).unwrap();
        assert_eq!(first.number("n"), 7);
        assert!(first.file.is_some());
        assert!(
            called
                .expect("c", SOON)
                .unwrap_err()
                .to_string()
                .contains("but b came")
        );
        called.refuse("too old");
        assert_eq!(caller.expect("x", SOON).unwrap_err().to_string(), "too old");
        drop(called);
        let gone = caller.hear(SOON).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn nobody_is_there() {
        let home = tempfile::tempdir().unwrap();
        assert!(Channel::call(home.path(), "post").is_err());
        drop(Post::open(home.path(), "post").unwrap());
        assert!(Channel::call(home.path(), "post").is_err());
    }

    #[test]
    fn silence_ends() {
        let home = tempfile::tempdir().unwrap();
        let post = Post::open(home.path(), "post").unwrap();
        let caller = Channel::call(home.path(), "post").unwrap();
        let _called = post.accept().unwrap();
        let silent = caller.hear(Duration::from_millis(20)).unwrap_err();
        assert_eq!(silent.kind(), io::ErrorKind::WouldBlock);
    }
}
