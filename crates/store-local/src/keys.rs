//! Looking keys up in the tables.

use raincheck_core::key::KeyDigest;
use raincheck_store::{self as store, KeyEntry};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::reader::Failed;
use crate::row::{self, Damage};

/// One key's record.
pub(crate) const KEY: &str = "SELECT record FROM keys WHERE digest = ?1";

/// A key's record is damaged, as a caller is told.
pub(crate) fn corrupt(digest: KeyDigest, damage: &Damage) -> store::Error {
    store::Error::Corrupt(format!("keys {digest}: {damage}"))
}

/// What a row of `record` says.
pub(crate) fn of_row(
    digest: KeyDigest,
    row: &Row<'_>,
) -> rusqlite::Result<Result<KeyEntry, Damage>> {
    Ok(row::key::decode(digest, row.get_ref(0)?.as_blob()?))
}

/// Where a key leads.
pub(crate) fn key(conn: &Connection, digest: KeyDigest) -> Result<Option<KeyEntry>, Failed> {
    let entry = conn
        .prepare_cached(KEY)?
        .query_row((&digest.0,), |row| of_row(digest, row))
        .optional()?
        .transpose();
    entry.map_err(|damage| corrupt(digest, &damage).into())
}
