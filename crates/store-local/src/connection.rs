//! Connections to the database and their settings, each with its reason.

use std::fmt::Write as _;
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, ffi};

/// Settings of every connection.
///
/// - `mmap_size 0`: an I/O error on a mapped page would kill the process.
/// - `cell_size_check`: damage inside a page is noticed when the page is read.
/// - `trusted_schema OFF`: a file from elsewhere runs no functions.
/// - `temp_store MEMORY`: no files outside the data directory.
const COMMON: &str = "
    PRAGMA mmap_size = 0;
    PRAGMA cell_size_check = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = OFF;
";

/// Without the planner's stability guarantee a statement is parsed anew whenever a value bound to it
/// might change its plan; ours have one plan each.
fn common(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.execute_batch(COMMON)
}

/// Opens a connection that may write, creating the file, and leaves the file as it is.
pub(crate) fn writable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    common(&conn)?;
    Ok(conn)
}

/// Makes a connection the writer's.
///
/// - `page_size 4096`: what disks write at once.
/// - `auto_vacuum INCREMENTAL`: pages freed by expiry can be given back without rewriting the file.
///   It must be set before the first table exists.
/// - `journal_mode WAL`: readers do not stop the writer, and a commit is one append and one sync.
/// - `synchronous FULL`: a commit returns after its sync. `NORMAL` lost every acknowledged change
///   since the last checkpoint in a power cut.
/// - `wal_autocheckpoint 0`: `checkpoint` does it.
/// - `journal_size_limit`: a log that grew during a backup is cut back afterwards.
pub(crate) fn make_writer(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA auto_vacuum = INCREMENTAL;",
    )?;
    keep_a_log(conn)?;
    conn.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA cache_size = -16384;
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = 67108864;",
    )?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Changes the database to `journal_mode WAL`. Without it the engine would go on with a journal whose
/// deletion, which makes a change a fact, is not synced: what was acknowledged could come undone.
/// The change is committed after the mode was told, and may fail only then.
fn keep_a_log(conn: &Connection) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query(())?;
    let mut mode = String::new();
    while let Some(row) = rows.next()? {
        mode = row.get(0)?;
    }
    if mode == "wal" {
        return Ok(());
    }
    let error = ffi::Error::new(ffi::SQLITE_IOERR);
    let why = format!("the database cannot be given a log: its journal mode stays {mode:?}");
    Err(rusqlite::Error::SqliteFailure(error, Some(why)))
}

/// Bounds the database file; a change for which there is no room in it is refused.
pub(crate) fn limit(conn: &Connection, bytes: Option<u64>) -> rusqlite::Result<()> {
    // What the engine takes at most, and what it has without a bound.
    const PAGES_MAX: u64 = 4_294_967_294;
    let pages = bytes.map_or(PAGES_MAX, |bytes| (bytes / 4096).clamp(1, PAGES_MAX));
    conn.execute_batch(&format!("PRAGMA max_page_count = {pages}"))
}

/// Opens a connection that moves pages from the log to the database file, and nothing else.
pub(crate) fn checkpointer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    common(&conn)?;
    conn.execute_batch("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 0;")?;
    Ok(conn)
}

/// Opens a connection that reads and has the database for itself, so that the engine keeps the index
/// of the log in memory of its own: it needs no room on the disk. On closing it moves nothing.
pub(crate) fn sole_reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    alone(Connection::open_with_flags(path, flags)?)
}

/// The same where nothing may be written: without the engine's locks, which need that. Without a log
/// the engine is told that nothing changes, as it would make one.
pub(crate) fn read_only_reader(path: &Path, has_log: bool) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    alone(if has_log {
        Connection::open_with_flags_and_vfs(path, flags, "unix-none")?
    } else {
        let uri = format!("file:{}?immutable=1", encoded(path));
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)?
    })
}

/// A path as part of a URI.
fn encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(byte) {
            text.push(char::from(*byte));
        } else {
            _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

fn alone(conn: Connection) -> rusqlite::Result<Connection> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    common(&conn)?;
    conn.execute_batch(
        "PRAGMA query_only = ON;
         PRAGMA busy_timeout = 0;
         PRAGMA locking_mode = EXCLUSIVE;",
    )?;
    // The lock is taken with the first read.
    conn.query_row("SELECT count(*) FROM sqlite_schema", (), |_| Ok(()))?;
    Ok(conn)
}

/// Opens a connection that reads.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    common(&conn)?;
    conn.execute_batch("PRAGMA cache_size = -2048; PRAGMA busy_timeout = 5000;")?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}
