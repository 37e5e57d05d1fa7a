//! The data directory: its paths, and making its directories durable.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Where things are below a data directory.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// The layout of a data directory that is there.
    pub(crate) fn of_existing(root: &Path) -> Result<Self, OpenError> {
        let layout = Self::new(root);
        let database = layout.database();
        match fs::metadata(&database) {
            Ok(metadata) if metadata.is_file() => Ok(layout),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(OpenError::of_io(database, &error))
            }
            _ => Err(OpenError::NotAStore {
                path: root.to_owned(),
                why: "it has no jobs.db".to_owned(),
            }),
        }
    }

    /// The directory itself.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The jobs.
    pub(crate) fn database(&self) -> PathBuf {
        self.root.join("jobs.db")
    }

    /// The log of what is not yet in the database file.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("jobs.db-wal")
    }

    /// The engine's index of the log, which every process that reads the database shares.
    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("jobs.db-shm")
    }

    /// Room that is kept for making room.
    pub(crate) fn reserve(&self) -> PathBuf {
        self.root.join("reserve")
    }

    /// Held by the process that serves this directory.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Held while body files must not be deleted: by a backup.
    pub(crate) fn keep_lock(&self) -> PathBuf {
        self.root.join("keep.lock")
    }

    /// Damaged records that changes have replaced.
    pub(crate) fn aside(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// Bodies that have a file of their own.
    pub(crate) fn bodies(&self) -> PathBuf {
        self.root.join("bodies")
    }
}

/// Creates a directory that only its owner may read, with its parents, and makes it durable.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !parent.exists() {
        create_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    sync_dir(parent)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Deletes a file; that it is gone already is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Opens a file for reading and writing; one that is missing is created so that only its owner may
/// read it.
pub(crate) fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}
