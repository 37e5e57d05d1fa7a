//! What is due and what is over, by index. Leases are in memory: a leased job is skipped while its
//! place in the index is read.

use raincheck_core::id::Revision;
use raincheck_core::time::Timestamp;
use raincheck_store::leases::Leases;
use raincheck_store::{Lease, Overdue};
use rusqlite::{Connection, OptionalExtension};

use crate::jobs::id_of;
use crate::reader::Failed;
use crate::row;

const DUE: &str = "SELECT id, due_at FROM jobs INDEXED BY jobs_due
    WHERE route = ?1 AND due_at <= ?2 ORDER BY due_at, id";
const OVER: &str = "SELECT id, revision, status FROM jobs INDEXED BY jobs_over
    WHERE over_at <= ?1 ORDER BY over_at, id LIMIT ?2";
const NEXT_OVER: &str = "SELECT over_at FROM jobs INDEXED BY jobs_over
    WHERE over_at IS NOT NULL ORDER BY over_at LIMIT 1";

fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

/// Leases up to `limit` jobs of a route that are due at `now`.
pub(crate) fn lease(
    conn: &Connection,
    leases: &Leases,
    route: u32,
    now: Timestamp,
    limit: usize,
    until: Timestamp,
) -> Result<Vec<Lease>, Failed> {
    let mut taken = Vec::new();
    let mut statement = conn.prepare_cached(DUE)?;
    let mut rows = statement.query((route, millis(now)))?;
    while taken.len() < limit {
        let Some(row) = rows.next()? else {
            break;
        };
        let Some(job) = id_of(row)? else {
            continue;
        };
        if leases.take(job, until) {
            taken.push(Lease { job, until });
        }
    }
    Ok(taken)
}

/// When the next job of a route that nobody has leased is due.
pub(crate) fn next_due(
    conn: &Connection,
    leases: &Leases,
    route: u32,
) -> Result<Option<Timestamp>, Failed> {
    let mut statement = conn.prepare_cached(DUE)?;
    let mut rows = statement.query((route, i64::MAX))?;
    while let Some(row) = rows.next()? {
        if id_of(row)?.is_some_and(|job| !leases.is_held(job)) {
            let at = row.get::<_, i64>(1)?.cast_unsigned();
            return Ok(Some(Timestamp::from_millis(at)));
        }
    }
    Ok(None)
}

/// Up to `limit` jobs whose time is over at `now`.
pub(crate) fn overdue(
    conn: &Connection,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Overdue>, Failed> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut over = Vec::new();
    let mut statement = conn.prepare_cached(OVER)?;
    let mut rows = statement.query((millis(now), limit))?;
    while let Some(row) = rows.next()? {
        let Some(job) = id_of(row)? else {
            continue;
        };
        let status = row::job::status_of(row.get(2)?);
        over.push(Overdue {
            job,
            revision: Revision(row.get::<_, i64>(1)?.cast_unsigned()),
            finished: status.is_some_and(raincheck_core::job::Status::is_finished),
        });
    }
    Ok(over)
}

/// When the next job is overdue.
pub(crate) fn next_overdue(conn: &Connection) -> Result<Option<Timestamp>, Failed> {
    let at: Option<i64> = conn
        .prepare_cached(NEXT_OVER)?
        .query_row((), |row| row.get(0))
        .optional()?;
    Ok(at.map(|at| Timestamp::from_millis(at.cast_unsigned())))
}
