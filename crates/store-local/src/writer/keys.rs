//! Keys inside a transaction: taken by a new job, given up, forgotten with it.

use raincheck_store::{self as store, KeyEntry};
use rusqlite::{Connection, OptionalExtension};

use crate::change::PreparedKey;
use crate::keys;

const ADD: &str = "INSERT INTO keys (digest, record) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const REPLACE: &str = "UPDATE keys SET record = ?2 WHERE digest = ?1";
const REMOVE: &str = "DELETE FROM keys WHERE digest = ?1";
const GIVE_UP: &str = "UPDATE jobs SET key = NULL WHERE id = ?1";

/// Takes a key for a job that is about to be written, or says whose it is. An outer error spoils
/// the transaction.
pub(super) fn take(
    conn: &Connection,
    key: &PreparedKey,
) -> rusqlite::Result<Result<(), store::Error>> {
    let digest = key.new.digest;
    let columns = (&digest.0, &key.record);
    if conn.prepare_cached(ADD)?.execute(columns)? == 1 {
        return Ok(Ok(()));
    }
    match stored(conn, key)? {
        Ok(Some(entry)) if key.new.replaces == Some(entry.job) => {
            conn.prepare_cached(REPLACE)?.execute(columns)?;
            conn.prepare_cached(GIVE_UP)?
                .execute((entry.job.as_bytes(),))?;
            Ok(Ok(()))
        }
        Ok(Some(entry)) => Ok(Err(store::Error::Taken(entry))),
        // It was there a statement ago.
        Ok(None) => Ok(Err(keys::corrupt(digest, &crate::row::Damage::Short))),
        Err(error) => Ok(Err(error)),
    }
}

fn stored(
    conn: &Connection,
    key: &PreparedKey,
) -> rusqlite::Result<Result<Option<KeyEntry>, store::Error>> {
    let digest = key.new.digest;
    let entry = conn
        .prepare_cached(keys::KEY)?
        .query_row((&digest.0,), |row| keys::of_row(digest, row))
        .optional()?
        .transpose();
    Ok(entry.map_err(|damage| keys::corrupt(digest, &damage)))
}

/// Forgets a key.
pub(super) fn remove(conn: &Connection, digest: [u8; 16]) -> rusqlite::Result<()> {
    conn.prepare_cached(REMOVE)?.execute((digest,))?;
    Ok(())
}
