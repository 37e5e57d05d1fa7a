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
        lock(root, path, &mut file)?;
        match write_pid(&mut file) {
            // The lock holds without it.
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {}
            other => other.map_err(|error| failed(&error))?,
        }
        Ok(Self { _file: file })
    }

    /// Takes the lock of a data directory that cannot be written. None: nobody ever served it, or
    /// it is a copy.
    pub(crate) fn take_read_only(root: &Path, path: &Path) -> Result<Option<Self>, OpenError> {
        match File::open(path) {
            Ok(mut file) => {
                lock(root, path, &mut file)?;
                Ok(Some(Self { _file: file }))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::of_io(path, &error)),
        }
    }
}

fn lock(root: &Path, path: &Path, file: &mut File) -> Result<(), OpenError> {
    match flock(&*file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse {
            path: root.to_owned(),
            pid: read_pid(file),
        }),
        Err(error) => Err(OpenError::of_io(path, &error.into())),
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
