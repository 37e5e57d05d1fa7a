//! Reading jobs: from memory where they changed just now, from the tables where not.

use std::sync::Arc;

use raincheck_core::id::JobId;
use raincheck_core::job::{Job, Status};
use raincheck_core::limits::LIST_PAGE;
use raincheck_store::{self as store, Filter, Page, StoredRequest, StoredResponse};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::reader::Failed;
use crate::row::{self, Damage};

const JOB: &str = "SELECT id, revision, status, record FROM jobs WHERE id = ?1";
const REQUEST: &str = "SELECT requests.record
    FROM jobs JOIN requests ON requests.number = jobs.request WHERE jobs.id = ?1";
const RESPONSE: &str = "SELECT responses.record
    FROM jobs JOIN responses ON responses.number = jobs.response WHERE jobs.id = ?1";
const ALL: &str = "SELECT id FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2";
const SOME: &str = "SELECT id FROM jobs INDEXED BY jobs_status
    WHERE route = ?3 AND status = ?4 AND id < ?1 ORDER BY id DESC LIMIT ?2";

/// A record is damaged, as a caller is told: with its table and key.
pub(crate) fn corrupt(table: &str, key: JobId, damage: &Damage) -> store::Error {
    store::Error::Corrupt(format!("{table} {key}: {damage}"))
}

/// A job from a row of `id, revision, status, record`.
pub(crate) fn of_row(id: JobId, row: &Row<'_>) -> rusqlite::Result<Result<Job, Damage>> {
    let revision = row.get::<_, i64>(1)?.cast_unsigned();
    let status: i64 = row.get(2)?;
    let record = row.get_ref(3)?.as_blob()?;
    let decoded = row::job::decode(id, record).and_then(|job| {
        let same = job.revision().0 == revision
            && i64::from(row::job::status_number(job.status())) == status;
        if same { Ok(job) } else { Err(Damage::Columns) }
    });
    Ok(decoded)
}

/// One job.
pub(crate) fn job(conn: &Connection, id: JobId) -> Result<Option<Job>, Failed> {
    let job = conn
        .prepare_cached(JOB)?
        .query_row((id.as_bytes(),), |row| of_row(id, row))
        .optional()?
        .transpose();
    job.map_err(|damage| corrupt("jobs", id, &damage).into())
}

/// A job's request.
pub(crate) fn request(conn: &Connection, id: JobId) -> Result<Option<Arc<StoredRequest>>, Failed> {
    let decoded = record(conn, REQUEST, id)?.map(|record| row::request::decode(id, record));
    let request = decoded.transpose();
    let request = request.map_err(|damage| corrupt("requests", id, &damage))?;
    Ok(request.map(Arc::new))
}

/// A job's response.
pub(crate) fn response(
    conn: &Connection,
    id: JobId,
) -> Result<Option<Arc<StoredResponse>>, Failed> {
    let decoded = record(conn, RESPONSE, id)?.map(|record| row::response::decode(id, record));
    let response = decoded.transpose();
    let response = response.map_err(|damage| corrupt("responses", id, &damage))?;
    Ok(response.map(Arc::new))
}

fn record(conn: &Connection, query: &str, id: JobId) -> rusqlite::Result<Option<Vec<u8>>> {
    conn.prepare_cached(query)?
        .query_row((id.as_bytes(),), |row| row.get(0))
        .optional()
}

/// A page of jobs. `routes` are the numbers of those it may come from.
pub(crate) fn list(conn: &Connection, filter: &Filter, routes: &[u32]) -> Result<Page, Failed> {
    let limit = filter.limit.min(LIST_PAGE);
    // One transaction, so that a job that changes meanwhile is seen in one status.
    let transaction = conn.unchecked_transaction()?;
    let mut ids = ids(conn, filter, routes, limit + 1)?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let mut page = Page {
        next: ids.last().copied().filter(|_| more),
        ..Page::default()
    };
    let mut statement = conn.prepare_cached(JOB)?;
    for id in ids {
        match statement.query_row((id.as_bytes(),), |row| of_row(id, row))? {
            Ok(job) => page.jobs.push(job),
            Err(damage) => {
                tracing::error!(job = %id, %damage, "a job's record is damaged");
                page.damaged.push(id);
            }
        }
    }
    drop(statement);
    transaction.commit()?;
    Ok(page)
}

/// The newest ids that the filter lets through.
fn ids(
    conn: &Connection,
    filter: &Filter,
    routes: &[u32],
    limit: usize,
) -> rusqlite::Result<Vec<JobId>> {
    let before = match filter.before {
        Some(id) => id.as_bytes().to_vec(),
        // Longer than any id, and above all of them.
        None => vec![0xff; 17],
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut found = Vec::new();
    if filter.route.is_none() && filter.status.is_none() {
        let mut statement = conn.prepare_cached(ALL)?;
        collect(statement.query((before, limit))?, &mut found)?;
        return Ok(found);
    }
    let one = filter.status.map(|status| [status]);
    let statuses = one.as_ref().map_or(&Status::ALL[..], |one| &one[..]);
    let mut statement = conn.prepare_cached(SOME)?;
    for route in routes {
        for status in statuses {
            let number = row::job::status_number(*status);
            let rows = statement.query((&before, limit, route, number))?;
            collect(rows, &mut found)?;
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(found)
}

fn collect(mut rows: rusqlite::Rows<'_>, found: &mut Vec<JobId>) -> rusqlite::Result<()> {
    while let Some(row) = rows.next()? {
        found.extend(id_of(row)?);
    }
    Ok(())
}

/// The id in a row's first column; a damaged one is nobody's, and is left to `raincheck verify`.
pub(crate) fn id_of(row: &Row<'_>) -> rusqlite::Result<Option<JobId>> {
    let id = row.get_ref(0)?.as_blob()?.try_into().ok();
    let id = id.and_then(JobId::from_bytes);
    if id.is_none() {
        tracing::error!("a row's key is not a job id");
    }
    Ok(id)
}
