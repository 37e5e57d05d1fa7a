//! One process serves one data directory: a lock that ends with the process, however it ends.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Opens a lock file, creating it if it is missing.
pub(crate) fn file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

impl Lock {
    /// Takes the lock of the data directory `root` and writes our process id into its file.
    pub(crate) fn take(root: &Path, path: &Path) -> Result<Self, OpenError> {
        let failed = |error: &std::io::Error| OpenError::of_io(path, error);
        let mut file = file(path).map_err(|error| failed(&error))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::WOULDBLOCK {
                return Err(OpenError::InUse {
                    path: root.to_owned(),
                    pid: read_pid(&mut file),
                });
            }
            return Err(failed(&error.into()));
        }
        write_pid(&mut file).map_err(|error| failed(&error))?;
        Ok(Self { _file: file })
    }
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
