//! Brings a database to the latest format: each step and its new number in one transaction.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::error::OpenError;
use crate::schema;

/// The format of the database at `path`; 0: it is new.
pub(crate) fn check(conn: &Connection, root: &Path, path: &Path) -> Result<u32, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_engine(path, &error);
    let (id, found) = identity(conn).map_err(failed)?;
    let tables = tables(conn).map_err(failed)?;
    if id != schema::APPLICATION_ID && (id != 0 || found != 0 || tables > 0) {
        return Err(OpenError::NotAStore {
            path: root.to_owned(),
            why: "its jobs.db belongs to another program".to_owned(),
        });
    }
    if found > schema::FORMAT {
        return Err(OpenError::Newer {
            path: root.to_owned(),
            found,
            known: schema::FORMAT,
        });
    }
    if found == 0 && tables > 0 {
        return Err(OpenError::Damaged {
            path: path.to_owned(),
            why: "it has tables but no format".to_owned(),
        });
    }
    Ok(found)
}

fn identity(conn: &Connection) -> rusqlite::Result<(i32, u32)> {
    let id = conn.query_row("PRAGMA application_id", (), |row| row.get(0))?;
    let format: i32 = conn.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    // A negative number is none of ours: as unsigned it is later than any.
    Ok((id, format.cast_unsigned()))
}

fn tables(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0))
}

/// Brings the database from `format` to the latest.
pub(crate) fn migrate(conn: &mut Connection, format: u32) -> rusqlite::Result<()> {
    for (number, step) in schema::migrations_after(format) {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
        transaction.commit()?;
    }
    Ok(())
}
