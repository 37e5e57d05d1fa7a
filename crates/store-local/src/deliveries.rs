//! What is still to be told, by index.

use raincheck_core::id::JobId;
use raincheck_core::time::Timestamp;
use raincheck_store::ToTell;
use rusqlite::{Connection, OptionalExtension};

use crate::jobs::id_of;
use crate::reader::Failed;

const TO_TELL: &str = "SELECT id, tell_at, receiver FROM jobs INDEXED BY jobs_tell
    WHERE tell_at >= ?1 AND tell_at <= ?2 AND (tell_at > ?1 OR id > ?3)
    ORDER BY tell_at, id LIMIT ?4";
const NEXT: &str = "SELECT tell_at FROM jobs INDEXED BY jobs_tell
    WHERE tell_at > ?1 ORDER BY tell_at LIMIT 1";

fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

/// Up to `limit` jobs whose end is to be told by `now`, beginning after a place.
pub(crate) fn to_tell(
    conn: &Connection,
    after: Option<(Timestamp, JobId)>,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<ToTell>, Failed> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let from = after.map_or(0, |(at, _)| millis(at));
    let last: &[u8] = after.as_ref().map_or(&[], |(_, job)| job.as_bytes());
    let mut statement = conn.prepare_cached(TO_TELL)?;
    let mut rows = statement.query((from, millis(now), last, limit))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let Some(job) = id_of(row)? else {
            continue;
        };
        all.push(ToTell {
            at: Timestamp::from_millis(row.get::<_, i64>(1)?.cast_unsigned()),
            job,
            receiver: row.get::<_, i64>(2)?.cast_unsigned(),
        });
    }
    Ok(all)
}

/// When the next end is to be told after `now`.
pub(crate) fn next(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Failed> {
    let at: Option<i64> = conn
        .prepare_cached(NEXT)?
        .query_row((millis(now),), |row| row.get(0))
        .optional()?;
    Ok(at.map(|at| Timestamp::from_millis(at.cast_unsigned())))
}
