//! Looking keys up: the ring says which jobs may have one, their rows say whether they do.

use raincheck_core::id::JobId;
use raincheck_core::key::KeyDigest;
use raincheck_store::{self as store, KeyEntry};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::jobs;
use crate::keyring::Kept;
use crate::reader::Failed;
use crate::row;

const KEY: &str = "SELECT key FROM jobs WHERE id = ?1 AND key IS NOT NULL";
const ALL: &str = "SELECT id, key FROM jobs INDEXED BY jobs_key WHERE key IS NOT NULL";

/// The first of `jobs` whose key this is.
pub(crate) fn key(
    conn: &Connection,
    jobs: &[JobId],
    digest: KeyDigest,
) -> Result<Option<KeyEntry>, Failed> {
    for job in jobs {
        if let Some(entry) = of_job(conn, *job, digest)?? {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

/// The key of a job, if it is this one. An outer error is the engine's.
pub(crate) fn of_job(
    conn: &Connection,
    job: JobId,
    digest: KeyDigest,
) -> rusqlite::Result<Result<Option<KeyEntry>, store::Error>> {
    let is_it = |row: &Row<'_>| {
        let key = row.get_ref(0)?.as_blob()?;
        Ok(match row::key::digest_of(key) == Some(digest) {
            true => row::key::decode(job, key).map(|(_, entry)| Some(entry)),
            false => Ok(None),
        })
    };
    let found = conn
        .prepare_cached(KEY)?
        .query_row((job.as_bytes(),), is_it);
    let found = found.optional()?.unwrap_or(Ok(None));
    Ok(found.map_err(|damage| jobs::corrupt("the key of job", job, &damage)))
}

/// All of them. One that is damaged is held as well, as far as it can be told: nobody else gets it.
pub(crate) fn all(conn: &Connection) -> rusqlite::Result<Kept> {
    let mut kept = Kept::default();
    let mut statement = conn.prepare(ALL)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let key = row.get_ref(1)?.as_blob().ok();
        let job = row.get(0).ok().and_then(JobId::from_bytes);
        if let (Some(digest), Some(job)) = (key.and_then(row::key::digest_of), job) {
            kept.enter(digest, job);
        }
    }
    Ok(kept)
}
