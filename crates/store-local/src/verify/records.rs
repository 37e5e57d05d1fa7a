//! Every record against its checksum, its columns and its neighbours.

use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_store::{Body, BodyId};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Row};

use super::locate::locate;
use super::{DATABASE, Finding, Report};
use crate::error::is_of_a_row;
use crate::files::Layout;
use crate::jobs;
use crate::row::{self, Damage};

/// Rows that are looked at in one transaction.
const BATCH: u32 = 256;

/// How many records do not match their checksum. Ends early, with one more than were found so far,
/// when `stop` says so.
pub(crate) fn damaged_records(
    conn: &Connection,
    stop: impl Fn() -> bool,
) -> rusqlite::Result<usize> {
    let mut damaged = 0;
    let mut seen = 0_u32;
    for table in TABLES {
        let mut statement = conn.prepare(table.query)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            damaged += usize::from(verdict(&table, row)?.is_some());
            seen = seen.wrapping_add(1);
            if seen.is_multiple_of(1024) && stop() {
                return Ok(damaged + 1);
            }
        }
    }
    Ok(damaged)
}

/// What is wrong with a row, if anything, and with whose.
type Verdict = rusqlite::Result<Option<(Option<JobId>, String)>>;

/// The body to which a record refers, if that can be read.
type BodyOf = fn(JobId, Vec<u8>) -> Option<Body>;

/// A table and how its rows are checked.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    query: &'static str,
    /// What the query goes on with to read some rows, from the one behind this on.
    page: &'static str,
    /// The column by which it does.
    key: &'static str,
    check: fn(&Row<'_>) -> Verdict,
    count: fn(&mut Report) -> &mut u64,
    /// The body of a row, where rows have one.
    pub(crate) body: Option<BodyOf>,
}

pub(crate) const TABLES: [Table; 4] = [
    Table {
        name: "jobs",
        query: "SELECT id, revision, status, record, due_at, over_at, token, name, tell_at,
                receiver
            FROM jobs LEFT JOIN routes ON routes.number = jobs.route",
        page: "WHERE id > ?1 ORDER BY id LIMIT ?2",
        key: "id",
        check: job,
        count: |report| &mut report.jobs,
        body: None,
    },
    Table {
        name: "requests",
        query: "SELECT id, body, record, number FROM requests",
        page: "WHERE number > ?1 ORDER BY number LIMIT ?2",
        key: "number",
        check: request,
        count: |report| &mut report.requests,
        body: Some(|id, record| Some(row::request::decode(id, record).ok()?.body)),
    },
    Table {
        name: "responses",
        query: "SELECT id, body, record, number FROM responses",
        page: "WHERE number > ?1 ORDER BY number LIMIT ?2",
        key: "number",
        check: response,
        count: |report| &mut report.responses,
        body: Some(|id, record| Some(row::response::decode(id, record).ok()?.body)),
    },
    Table {
        name: "jobs",
        query: "SELECT id, key AS record FROM jobs WHERE key IS NOT NULL",
        page: "AND id > ?1 ORDER BY id LIMIT ?2",
        key: "id",
        check: key_record,
        count: |report| &mut report.keys,
        body: None,
    },
];

/// Rows that refer to none, or that none refers to; each gives the id of a job.
const LOOSE_ENDS: [(&str, &str); 6] = [
    (
        "SELECT jobs.id FROM jobs LEFT JOIN requests ON requests.number = jobs.request
            WHERE jobs.request IS NOT NULL AND requests.id IS NOT jobs.id",
        "its request is missing",
    ),
    (
        "SELECT jobs.id FROM jobs LEFT JOIN responses ON responses.number = jobs.response
            WHERE jobs.response IS NOT NULL AND responses.id IS NOT jobs.id",
        "its response is missing",
    ),
    (
        "SELECT requests.id FROM requests LEFT JOIN jobs ON jobs.id = requests.id
            WHERE jobs.request IS NOT requests.number",
        "a request is stored that belongs to no job",
    ),
    (
        "SELECT responses.id FROM responses LEFT JOIN jobs ON jobs.id = responses.id
            WHERE jobs.response IS NOT responses.number",
        "a response is stored that belongs to no job",
    ),
    (
        "SELECT max(id) FROM jobs WHERE key IS NOT NULL
            GROUP BY substr(key, 1, 16) HAVING count(*) > 1",
        "its key leads to another job as well",
    ),
    (
        "SELECT id FROM jobs NOT INDEXED WHERE key IS NOT NULL
            EXCEPT SELECT id FROM jobs INDEXED BY jobs_key WHERE key IS NOT NULL",
        "its key is missing in the index",
    ),
];

/// Looks at every record.
pub(super) fn look(
    conn: &Connection,
    layout: &Layout,
    report: &mut Report,
) -> rusqlite::Result<()> {
    for table in &TABLES {
        let mut statement = conn.prepare(table.query)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            *(table.count)(report) += 1;
            if let Some((job, problem)) = verdict(table, row)? {
                let problem = format!("table {}: {problem}", table.name);
                let place = match row.get_ref("record") {
                    Ok(ValueRef::Blob(record)) if !report.is_long() => locate(layout, record),
                    _ => None,
                };
                let (file, offset) = place.unzip();
                report.add(Finding {
                    file: file.unwrap_or_else(|| DATABASE.to_owned()),
                    offset,
                    job: job.map(|job| job.to_string()),
                    problem,
                });
            }
        }
    }
    for (query, problem) in LOOSE_ENDS {
        let mut statement = conn.prepare(query)?;
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            let job = key(row)?.map(|id| id.to_string());
            report.add_to_database(None, job, problem.to_owned());
        }
    }
    Ok(())
}

/// Some rows of a table, looked at together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) rows: u64,
    /// Bytes of their records.
    pub(crate) bytes: u64,
    /// What is wrong, and with whose row.
    pub(crate) damaged: Vec<(Option<JobId>, String)>,
    /// The files to which they refer.
    pub(crate) bodies: Vec<Referred>,
    /// Where the next batch begins; none: there is none.
    pub(crate) next: Option<Value>,
}

/// A body in a file, and whose it is.
#[derive(Debug)]
pub(crate) struct Referred {
    pub(crate) job: JobId,
    pub(crate) id: BodyId,
    pub(crate) len: u64,
}

/// The rows of a table behind `after`. The transaction is over when this returns.
pub(crate) fn batch(conn: &Connection, table: &Table, after: &Value) -> rusqlite::Result<Batch> {
    let mut batch = Batch::default();
    let mut statement = conn.prepare_cached(&format!("{} {}", table.query, table.page))?;
    let mut rows = statement.query((after, BATCH))?;
    while let Some(row) = rows.next()? {
        batch.rows += 1;
        if batch.rows == u64::from(BATCH) {
            batch.next = Some(row.get(table.key)?);
        }
        let record = row.get_ref("record")?.as_blob().unwrap_or_default();
        batch.bytes += record.len() as u64;
        batch.damaged.extend(verdict(table, row)?);
        batch.bodies.extend(file_of(table, row, record)?);
    }
    Ok(batch)
}

fn file_of(table: &Table, row: &Row<'_>, record: &[u8]) -> rusqlite::Result<Option<Referred>> {
    let (Some(body), Some(job)) = (table.body, key(row)?) else {
        return Ok(None);
    };
    if row.get_ref("body")? == ValueRef::Null {
        return Ok(None);
    }
    Ok(match body(job, record.to_vec()) {
        Some(Body::File { id, len }) => Some(Referred { job, id, len }),
        _ => None,
    })
}

/// What is wrong with a row. A column of another type than the schema's is damage too, and no reason
/// to look at no further row.
fn verdict(table: &Table, row: &Row<'_>) -> Verdict {
    match (table.check)(row) {
        Err(error) if is_of_a_row(&error) => Ok(Some((key(row).ok().flatten(), error.to_string()))),
        other => other,
    }
}

fn key(row: &Row<'_>) -> rusqlite::Result<Option<JobId>> {
    let id = row.get_ref(0)?.as_blob().ok();
    Ok(id
        .and_then(|id| id.try_into().ok())
        .and_then(JobId::from_bytes))
}

/// Checks a row by its key.
fn keyed(
    row: &Row<'_>,
    check: impl FnOnce(JobId) -> rusqlite::Result<Result<(), Damage>>,
) -> Verdict {
    let Some(id) = key(row)? else {
        return Ok(Some((None, "its key is not a job id".to_owned())));
    };
    let damage = check(id)?.err();
    Ok(damage.map(|damage| (Some(id), damage.to_string())))
}

fn job(row: &Row<'_>) -> Verdict {
    keyed(row, |id| {
        let job = match jobs::of_row(id, row)? {
            Ok(job) => job,
            Err(damage) => return Ok(Err(damage)),
        };
        let same = columns_of(&job)
            == (
                row.get(4)?,
                row.get(5)?,
                row.get(6)?,
                row.get(8)?,
                row.get(9)?,
            )
            && row.get::<_, Option<String>>(7)?.as_deref() == Some(job.route().as_str());
        Ok(if same { Ok(()) } else { Err(Damage::Columns) })
    })
}

/// Its due time, when it is over, its token, when its end is told, and where.
type Columns = (Option<i64>, Option<i64>, i64, Option<i64>, Option<i64>);

fn columns_of(job: &Job) -> Columns {
    let millis = |time: Option<raincheck_core::time::Timestamp>| {
        time.map(|time| time.as_millis().cast_signed())
    };
    (
        millis(job.due_at()),
        millis(job.over_at()),
        job.token().0.cast_signed(),
        millis(job.tell_at()),
        job.callback().map(|own| own.receiver.cast_signed()),
    )
}

fn request(row: &Row<'_>) -> Verdict {
    keyed(row, |id| {
        let decoded = row::request::decode(id, row.get(2)?);
        let file: Option<[u8; 16]> = row.get(1)?;
        Ok(decoded.and_then(|request| same_file(&request.body, file)))
    })
}

fn response(row: &Row<'_>) -> Verdict {
    keyed(row, |id| {
        let decoded = row::response::decode(id, row.get(2)?);
        let file: Option<[u8; 16]> = row.get(1)?;
        Ok(decoded.and_then(|response| same_file(&response.body, file)))
    })
}

fn key_record(row: &Row<'_>) -> Verdict {
    let Some(id) = key(row)? else {
        return Ok(Some((None, "its key is not a job id".to_owned())));
    };
    let damage = row::key::decode(id, row.get_ref(1)?.as_blob()?).err();
    Ok(damage.map(|damage| (Some(id), format!("its key: {damage}"))))
}

fn same_file(body: &Body, file: Option<[u8; 16]>) -> Result<(), Damage> {
    let own = row::body::file_of(body).map(|id| id.0.to_be_bytes());
    if own == file {
        Ok(())
    } else {
        Err(Damage::Columns)
    }
}
