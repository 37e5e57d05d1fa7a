//! What the engine below says, sorted into causes that a caller can act on. Its own types end here.

use std::io;
use std::path::PathBuf;

use raincheck_store as store;
use rusqlite::ErrorCode;

use crate::room;

/// Why a data directory could not be opened. Each text says what can be done about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the data directory {} is in use by another process{}; stop that one or choose another \
         directory",
        path.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        path: PathBuf,
        /// The process that has it, if it said so.
        pid: Option<u32>,
    },
    /// It was written by a later version.
    #[error(
        "the data directory {} has format {found}, and this version reads formats up to {known}; \
         use the version that wrote it or a later one",
        path.display()
    )]
    Newer {
        /// The data directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The latest format that is known.
        known: u32,
    },
    /// It is something else.
    #[error(
        "{} is not a data directory of raincheck ({why}); choose an empty or a new directory",
        path.display()
    )]
    NotAStore {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Its files do not make sense. Nothing was changed.
    #[error(
        "{} is damaged ({why}); nothing was changed. Copy the data directory, then see what \
         'raincheck verify' finds, or restore a backup",
        path.display()
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It cannot be written.
    #[error(
        "the data directory {} cannot be written ({why}); check its owner, its mode, and how its \
         disk is mounted",
        path.display()
    )]
    ReadOnly {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// Its disk is full.
    #[error("there is too little room for {}; free some space on its disk", path.display())]
    Full {
        /// The file or directory.
        path: PathBuf,
    },
    /// The system refused something else.
    #[error("{}: {why}; check the path and its disk", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
}

impl OpenError {
    /// The cause of a failed file operation on `path`.
    pub(crate) fn of_io(path: impl Into<PathBuf>, error: &io::Error) -> Self {
        use io::ErrorKind as K;
        let path = path.into();
        let why = error.to_string();
        match error.kind() {
            K::PermissionDenied | K::ReadOnlyFilesystem => Self::ReadOnly { path, why },
            K::StorageFull | K::QuotaExceeded => Self::Full { path },
            K::NotADirectory | K::AlreadyExists | K::IsADirectory => Self::NotAStore { path, why },
            _ => Self::Io { path, why },
        }
    }

    /// The cause of a failed operation of the engine on the file `path`.
    pub(crate) fn of_engine(path: impl Into<PathBuf>, error: &rusqlite::Error) -> Self {
        let path = path.into();
        let is_out = room::is_out(&path);
        Self::of_engine_where(path, error, is_out)
    }

    /// The same on a disk of which it is known whether it has nothing left. The engine says so of
    /// the database and its log only; of the index, and of files that it creates, it just fails.
    fn of_engine_where(path: PathBuf, error: &rusqlite::Error, is_out: bool) -> Self {
        let why = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotAStore { path, why },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, why },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path, why },
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::InUse { path, pid: None }
            }
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_out => {
                Self::Full { path }
            }
            _ => Self::Io { path, why },
        }
    }
}

/// How far a failed write reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// There was no room: nothing was written, and there may be room again later.
    Full,
    /// A page in the path of this change is damaged; others may be whole.
    Damage,
    /// The disk cannot be trusted any more.
    Fault,
}

/// How far a failed write of the engine reaches.
pub(crate) fn reach(error: &rusqlite::Error) -> Reach {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Reach::Full,
        Some(ErrorCode::DatabaseCorrupt) => Reach::Damage,
        _ => Reach::Fault,
    }
}

/// What a failed write of the engine was, for an operator.
pub(crate) fn words(error: &rusqlite::Error) -> String {
    use rusqlite::ffi;
    let what = match error.sqlite_error().map(|error| error.extended_code) {
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => "a sync failed",
        Some(ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE) => "a write failed",
        Some(ffi::SQLITE_IOERR_READ | ffi::SQLITE_IOERR_SHORT_READ) => "a read failed",
        _ => "a change could not be written",
    };
    format!("{what}: {error}")
}

/// A failed read of the engine, for a caller.
pub(crate) fn of_read(error: &rusqlite::Error) -> store::Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            store::Error::Corrupt(error.to_string())
        }
        _ if is_of_a_row(error) => store::Error::Corrupt(error.to_string()),
        _ => store::Error::Unavailable(error.to_string()),
    }
}

/// Whether a row is not what the schema says: a flipped bit can change the type of a column.
pub(crate) fn is_of_a_row(error: &rusqlite::Error) -> bool {
    use rusqlite::Error as E;
    matches!(
        error,
        E::InvalidColumnType(..)
            | E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..)
            | E::Utf8Error(..)
    )
}

/// A failed file operation on a body, for a caller.
pub(crate) fn of_file(what: &str, error: &io::Error) -> store::Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            store::Error::Full(format!("{what}: {error}"))
        }
        _ => store::Error::Unavailable(format!("{what}: {error}")),
    }
}

/// What is answered once the store is closed.
pub(crate) fn closed() -> store::Error {
    store::Error::Unavailable("the store is closed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_and_a_read_only_disk_are_told_apart() {
        let of = |kind: io::ErrorKind| OpenError::of_io("/data", &io::Error::from(kind));
        assert!(matches!(
            of(io::ErrorKind::StorageFull),
            OpenError::Full { .. }
        ));
        assert!(matches!(
            of(io::ErrorKind::ReadOnlyFilesystem),
            OpenError::ReadOnly { .. }
        ));
        assert!(matches!(
            of(io::ErrorKind::PermissionDenied),
            OpenError::ReadOnly { .. }
        ));
        assert!(matches!(of(io::ErrorKind::Other), OpenError::Io { .. }));
    }

    #[test]
    fn a_failure_on_a_disk_with_nothing_left_is_one_for_want_of_room() {
        use rusqlite::ffi;
        let of = |code, is_out| {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            OpenError::of_engine_where("/data/jobs.db".into(), &error, is_out)
        };
        for code in [
            ffi::SQLITE_IOERR_SHMSIZE,
            ffi::SQLITE_IOERR_SHMOPEN,
            ffi::SQLITE_IOERR_SHMMAP,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_CANTOPEN,
        ] {
            assert!(matches!(of(code, true), OpenError::Full { .. }), "{code}");
            assert!(matches!(of(code, false), OpenError::Io { .. }), "{code}");
        }
        let full = of(ffi::SQLITE_FULL, false);
        assert!(matches!(full, OpenError::Full { .. }), "{full}");
        let damaged = of(ffi::SQLITE_CORRUPT, true);
        assert!(matches!(damaged, OpenError::Damaged { .. }), "{damaged}");
    }

    #[test]
    fn only_want_of_room_and_damage_leave_the_store_working() {
        use rusqlite::ffi;
        let of = |code| reach(&rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
        assert_eq!(of(ffi::SQLITE_FULL), Reach::Full);
        assert_eq!(of(ffi::SQLITE_CORRUPT_INDEX), Reach::Damage);
        for code in [
            ffi::SQLITE_IOERR_FSYNC,
            ffi::SQLITE_IOERR_WRITE,
            ffi::SQLITE_IOERR_READ,
            ffi::SQLITE_READONLY,
            ffi::SQLITE_NOMEM,
            ffi::SQLITE_MISUSE,
        ] {
            assert_eq!(of(code), Reach::Fault, "{code}");
        }
    }
}
