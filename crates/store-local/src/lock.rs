//! One process serves one data directory: a lock that ends with the process, however it ends.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use crate::error::OpenError;
use crate::files;

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the data directory `root` and writes our process id into its file.
    pub(crate) fn take(root: &Path, path: &Path) -> Result<Self, OpenError> {
        let failed = |error: &std::io::Error| OpenError::of_io(path, error);
        let mut file = files::private(path).map_err(|error| failed(&error))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::WOULDBLOCK {
                return Err(OpenError::InUse {
                    path: root.to_owned(),
                    pid: read_pid(&mut file),
                });
            }
            return Err(failed(&error.into()));
        }
        match write_pid(&mut file) {
            // The lock holds without it.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {}
            other => other.map_err(|error| failed(&error))?,
        }
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
