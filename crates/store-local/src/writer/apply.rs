//! One change inside a transaction: look at the stored job, refuse or write.

use std::collections::HashMap;

use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::Status;
use raincheck_core::key::KeyDigest;
use raincheck_core::time::Timestamp;
use raincheck_store::{self as store, BodyId};
use rusqlite::{Connection, OptionalExtension, ToSql};

use crate::change::{Attached, Effect, NumberedRoute, Prepared, PreparedPut};
use crate::row;
use crate::writer::keys::Claims;

/// What the guards look at, and what a change leads to.
const LOOK: &str =
    "SELECT revision, token, route, status, request, response, key FROM jobs WHERE id = ?1";
const INSERT_JOB: &str = "INSERT INTO jobs
    (id, route, status, due_at, over_at, revision, token, record, response, request, tell_at,
        receiver, key)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const UPDATE_JOB: &str = "UPDATE jobs SET route = ?2, status = ?3, due_at = ?4, over_at = ?5,
    revision = ?6, token = ?7, record = ?8, response = ?9, request = ?10, tell_at = ?11,
    receiver = ?12
    WHERE id = ?1";
const DELETE_JOB: &str = "DELETE FROM jobs WHERE id = ?1";
const NEW_ROUTE: &str = "INSERT INTO routes (name) VALUES (?1) RETURNING number";

/// The statements of a table of requests or responses.
struct Beside {
    add: &'static str,
    remove: &'static str,
}

const REQUESTS: Beside = Beside {
    add: "INSERT INTO requests (id, body, record) VALUES (?1, ?2, ?3)",
    remove: "DELETE FROM requests WHERE number = ?1 RETURNING body",
};
const RESPONSES: Beside = Beside {
    add: "INSERT INTO responses (id, body, record) VALUES (?1, ?2, ?3)",
    remove: "DELETE FROM responses WHERE number = ?1 RETURNING body",
};

/// The routes' numbers, and which of them this transaction made.
#[derive(Debug, Default)]
pub(super) struct Routes {
    numbers: HashMap<RouteName, u32>,
    new: Vec<NumberedRoute>,
}

impl Routes {
    pub(super) fn new(numbers: HashMap<RouteName, u32>) -> Self {
        Self {
            numbers,
            new: Vec::new(),
        }
    }

    /// The transaction is durable: the routes it made.
    pub(super) fn kept(&mut self) -> Vec<NumberedRoute> {
        std::mem::take(&mut self.new)
    }

    /// The transaction was rolled back, and with it the routes it made.
    pub(super) fn dropped(&mut self) {
        for route in self.new.drain(..) {
            self.numbers.remove(&route.name);
        }
    }

    fn number(&mut self, conn: &Connection, name: &RouteName) -> rusqlite::Result<u32> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = conn
            .prepare_cached(NEW_ROUTE)?
            .query_row((name.as_str(),), |row| row.get(0))?;
        self.numbers.insert(name.clone(), number);
        self.new.push(NumberedRoute {
            number,
            name: name.clone(),
        });
        Ok(number)
    }
}

/// The stored job, as far as the guards need it.
struct Stored {
    revision: u64,
    token: u64,
    route: u32,
    status: Status,
    /// Its row in `requests`.
    request: Option<i64>,
    /// Its row in `responses`.
    response: Option<i64>,
    /// The digest of its key.
    key: Option<KeyDigest>,
}

/// Carries out one change, or says why it is refused. An outer error spoils the transaction.
pub(super) fn apply(
    conn: &Connection,
    (routes, claims): (&mut Routes, &mut Claims),
    change: &Prepared,
) -> rusqlite::Result<Result<Effect, store::Error>> {
    let stored = match change {
        Prepared::Put(put) if put.from.is_none() => None,
        _ => look(conn, change.job())?,
    };
    if let Err(refused) = guard(change, stored.as_ref()) {
        return Ok(Err(refused));
    }
    match change {
        Prepared::Put(put) => put_job(conn, (routes, claims), put, stored.as_ref()),
        Prepared::Delete { job, .. } => delete_job(conn, *job, stored.as_ref()).map(Ok),
    }
}

fn look(conn: &Connection, id: JobId) -> rusqlite::Result<Option<Stored>> {
    conn.prepare_cached(LOOK)?
        .query_row((id.as_bytes(),), |row| {
            let number: u8 = row.get(3)?;
            Ok(Stored {
                revision: row.get::<_, i64>(0)?.cast_unsigned(),
                token: row.get::<_, i64>(1)?.cast_unsigned(),
                route: row.get(2)?,
                status: row::job::status_of(number)
                    .ok_or(rusqlite::Error::IntegralValueOutOfRange(3, number.into()))?,
                request: row.get(4)?,
                response: row.get(5)?,
                key: row
                    .get_ref(6)?
                    .as_blob_or_null()?
                    .and_then(row::key::digest_of),
            })
        })
        .optional()
}

/// The fence is looked at before the revision: an attempt that is over is to be told so, not to
/// load the job and decide again.
fn guard(change: &Prepared, stored: Option<&Stored>) -> Result<(), store::Error> {
    let (job, expected, fence) = match change {
        Prepared::Put(put) => match put.from {
            None => return Ok(()),
            Some(from) => (put.job.id(), from, put.fence),
        },
        Prepared::Delete { job, from } => (*job, *from, None),
    };
    if let (Some(fence), Some(stored)) = (fence, stored)
        && stored.token != fence.0
    {
        return Err(store::Error::Fenced(job));
    }
    let found = stored.map(|stored| raincheck_core::id::Revision(stored.revision));
    if found == Some(expected) {
        return Ok(());
    }
    Err(store::Error::Conflict {
        job,
        expected,
        found,
    })
}

fn put_job(
    conn: &Connection,
    (routes, claims): (&mut Routes, &mut Claims),
    put: &PreparedPut,
    stored: Option<&Stored>,
) -> rusqlite::Result<Result<Effect, store::Error>> {
    let id = put.job.id();
    if stored.is_none() && exists(conn, id)? {
        return Ok(Err(store::Error::Exists(id)));
    }
    if let Some(key) = &put.key
        && let Err(refused) = claims.take(conn, id, key)?
    {
        return Ok(Err(refused));
    }
    let mut freed = Vec::new();
    let mut request = stored.and_then(|stored| stored.request);
    if let Some(new) = &put.request {
        remove(conn, &REQUESTS, request, &mut freed)?;
        request = Some(add(conn, &REQUESTS, id, new)?);
    }
    let mut response = stored.and_then(|stored| stored.response);
    if put.response.is_some() || put.drops_response {
        remove(conn, &RESPONSES, response.take(), &mut freed)?;
    }
    if let Some(new) = &put.response {
        response = Some(add(conn, &RESPONSES, id, new)?);
    }
    // What is written again is not freed.
    let kept = [put.request_file(), put.response_file()];
    freed.retain(|file| !kept.contains(&Some(*file)));
    let route = routes.number(conn, put.job.route())?;
    write_job(conn, put, route, stored.is_some(), [response, request])?;
    Ok(Ok(Effect {
        job: id,
        was: stored.map(|stored| (stored.route, stored.status)),
        is: Some((route, put.job.status())),
        freed,
        left: None,
    }))
}

fn write_job(
    conn: &Connection,
    put: &PreparedPut,
    route: u32,
    is_stored: bool,
    [response, request]: [Option<i64>; 2],
) -> rusqlite::Result<()> {
    let millis = |time: Option<Timestamp>| time.map(|time| time.as_millis().cast_signed());
    let statement = if is_stored { UPDATE_JOB } else { INSERT_JOB };
    let mut statement = conn.prepare_cached(statement)?;
    let id = put.job.id();
    let columns: [&dyn ToSql; 12] = [
        id.as_bytes(),
        &route,
        &row::job::status_number(put.job.status()),
        &millis(put.job.due_at()),
        &millis(put.job.over_at()),
        &put.job.revision().0.cast_signed(),
        &put.job.token().0.cast_signed(),
        &put.record,
        &response,
        &request,
        &millis(put.job.tell_at()),
        &put.job.callback().map(|own| own.receiver.cast_signed()),
    ];
    for (number, column) in (1..).zip(columns) {
        statement.raw_bind_parameter(number, column)?;
    }
    if !is_stored {
        // A key is taken once, with the job.
        let key = put.key.as_ref().map(|key| key.bytes);
        statement.raw_bind_parameter(13, key)?;
    }
    statement.raw_execute()?;
    Ok(())
}

fn exists(conn: &Connection, id: JobId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?
        .exists((id.as_bytes(),))
}

/// Adds a row and gives its number.
fn add<T>(
    conn: &Connection,
    table: &Beside,
    id: JobId,
    new: &Attached<T>,
) -> rusqlite::Result<i64> {
    let file = new.file.map(|file| file.0.to_be_bytes());
    conn.prepare_cached(table.add)?
        .insert((id.as_bytes(), file, &new.record))
}

/// Removes a row, if there is one, and frees its file.
fn remove(
    conn: &Connection,
    table: &Beside,
    number: Option<i64>,
    freed: &mut Vec<BodyId>,
) -> rusqlite::Result<()> {
    let Some(number) = number else {
        return Ok(());
    };
    let file: Option<Option<[u8; 16]>> = conn
        .prepare_cached(table.remove)?
        .query_row((number,), |row| row.get(0))
        .optional()?;
    freed.extend(file.flatten().map(|id| BodyId(u128::from_be_bytes(id))));
    Ok(())
}

fn delete_job(conn: &Connection, id: JobId, stored: Option<&Stored>) -> rusqlite::Result<Effect> {
    let mut freed = Vec::new();
    conn.prepare_cached(DELETE_JOB)?.execute((id.as_bytes(),))?;
    if let Some(stored) = stored {
        remove(conn, &REQUESTS, stored.request, &mut freed)?;
        remove(conn, &RESPONSES, stored.response, &mut freed)?;
    }
    Ok(Effect {
        job: id,
        was: stored.map(|stored| (stored.route, stored.status)),
        is: None,
        freed,
        left: stored.and_then(|stored| stored.key),
    })
}
