//! Copies a data directory while it is served, by this process or another.
//!
//! First the database, in one piece and as of one moment; then the bodies it refers to, which never
//! change once written, as hard links where the target is on the same file system. The keep lock
//! stops the serving process from deleting bodies meanwhile. What results is a data directory.
//!
//! While the database is copied its log cannot start over, so it grows with what is written
//! meanwhile; it is cut back afterwards.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use raincheck_store::BodyId;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};
use rustix::fs::{FlockOperation, flock};

use crate::body::path_of;
use crate::error::OpenError;
use crate::files::{self, Layout};
use crate::{connection, migrate, room};

/// How often a copy that somebody got in the way of is begun again.
const TRIES: u32 = 100;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bodies.
    pub bodies: u64,
    /// Bodies that are referred to but were not there; `raincheck verify` says which jobs they
    /// belong to.
    pub missing: u64,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The data directory cannot be read.
    #[error(transparent)]
    Source(OpenError),
    /// The target is not empty.
    #[error("{} is not empty; name a directory that is empty or does not exist", .0.display())]
    NotEmpty(PathBuf),
    /// The target cannot be written.
    #[error("the backup could not be written: {0}")]
    Target(OpenError),
}

/// Copies the data directory `from`, which may be served meanwhile, to the directory `to`. Blocks.
///
/// # Errors
/// See [`BackupError`]. A target that was begun is left as it is.
pub fn backup(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<BackupReport, BackupError> {
    let from = Layout::of_existing(from.as_ref()).map_err(BackupError::Source)?;
    let to = Layout::new(to.as_ref());
    let keep = keep(&from).map_err(BackupError::Source)?;
    prepare(&to)?;
    let database_bytes = copy_database(&from, &to)?;
    let target = |error: io::Error| BackupError::Target(OpenError::of_io(to.root(), &error));
    let ids = referred(&to)
        .map_err(|error| BackupError::Target(OpenError::of_engine(to.database(), &error)))?;
    let mut report = BackupReport {
        database_bytes,
        ..BackupReport::default()
    };
    for id in ids {
        let copied = copy_body(&from, &to, id).map_err(target)?;
        *(if copied {
            &mut report.bodies
        } else {
            &mut report.missing
        }) += 1;
    }
    drop(keep);
    sync(&to).map_err(target)?;
    Ok(report)
}

/// Stops whoever serves the directory from deleting bodies while the file is open.
fn keep(from: &Layout) -> Result<File, OpenError> {
    let path = from.keep_lock();
    let failed = |error: io::Error| OpenError::of_io(&path, &error);
    let file = files::private(&path).map_err(failed)?;
    flock(&file, FlockOperation::LockShared).map_err(|error| failed(error.into()))?;
    Ok(file)
}

fn prepare(to: &Layout) -> Result<(), BackupError> {
    let failed = |error: io::Error| BackupError::Target(OpenError::of_io(to.root(), &error));
    files::create_dir(to.root()).map_err(failed)?;
    if fs::read_dir(to.root()).map_err(failed)?.next().is_some() {
        return Err(BackupError::NotEmpty(to.root().to_owned()));
    }
    files::create_dir(&to.bodies()).map_err(failed)?;
    files::private(&to.database()).map_err(failed)?;
    Ok(())
}

fn copy_database(from: &Layout, to: &Layout) -> Result<u64, BackupError> {
    let path = from.database();
    let source = |error: rusqlite::Error| BackupError::Source(OpenError::of_engine(&path, &error));
    room::check_beside(from).map_err(BackupError::Source)?;
    let conn = connection::reader(&path).map_err(source)?;
    migrate::check(&conn, from.root(), &path).map_err(BackupError::Source)?;
    let path = to.database();
    let target = |error: rusqlite::Error| BackupError::Target(OpenError::of_engine(&path, &error));
    let mut copy = connection::writable(&path).map_err(target)?;
    run(&conn, &mut copy).map_err(target)?;
    copy.close().map_err(|(_, error)| target(error))?;
    let len = fs::metadata(&path).map(|metadata| metadata.len());
    len.map_err(|error| BackupError::Target(OpenError::of_io(&path, &error)))
}

/// All pages in one step, so that what is copied is one moment's state.
fn run(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    let backup = Backup::new(from, to)?;
    for _ in 0..TRIES {
        if backup.step(-1)? == StepResult::Done {
            return Ok(());
        }
        std::thread::yield_now();
    }
    Err(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
        None,
    ))
}

fn referred(to: &Layout) -> rusqlite::Result<Vec<BodyId>> {
    let conn = connection::writable(&to.database())?;
    let mut statement = conn.prepare(
        "SELECT body FROM requests WHERE body IS NOT NULL
         UNION SELECT body FROM responses WHERE body IS NOT NULL",
    )?;
    let ids = statement.query_map((), |row| Ok(BodyId(u128::from_be_bytes(row.get(0)?))))?;
    ids.collect()
}

/// Links or copies a body; false: it is not there.
fn copy_body(from: &Layout, to: &Layout, id: BodyId) -> io::Result<bool> {
    let source = path_of(&from.bodies(), id);
    let target = path_of(&to.bodies(), id);
    if let Some(dir) = target.parent() {
        files::create_dir(dir)?;
    }
    if fs::hard_link(&source, &target).is_ok() {
        return Ok(true);
    }
    match fs::copy(&source, &target) {
        Ok(_) => File::open(&target)?.sync_all().map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !source.exists() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes every name durable.
fn sync(to: &Layout) -> io::Result<()> {
    File::open(to.database())?.sync_all()?;
    for dir in fs::read_dir(to.bodies())? {
        files::sync_dir(&dir?.path())?;
    }
    files::sync_dir(&to.bodies())?;
    files::sync_dir(to.root())
}
