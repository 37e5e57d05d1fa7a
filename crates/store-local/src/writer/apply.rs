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
use crate::writer::statements::{Statements, To};

const NEW_ROUTE: &str = "INSERT INTO routes (name) VALUES (?1) RETURNING number";

/// The statements of a table of requests or responses.
struct Beside {
    add: To,
    remove: To,
}

const REQUESTS: Beside = Beside {
    add: To::AddRequest,
    remove: To::RemoveRequest,
};
const RESPONSES: Beside = Beside {
    add: To::AddResponse,
    remove: To::RemoveResponse,
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
    sql: &mut Statements<'_>,
    (routes, claims): (&mut Routes, &mut Claims),
    change: &Prepared,
) -> rusqlite::Result<Result<Effect, store::Error>> {
    let stored = match change {
        Prepared::Put(put) if put.from.is_none() => None,
        _ => look(sql, change.job())?,
    };
    if let Err(refused) = guard(change, stored.as_ref()) {
        return Ok(Err(refused));
    }
    match change {
        Prepared::Put(put) => put_job(sql, (routes, claims), put, stored.as_ref()),
        Prepared::Delete { job, .. } => delete_job(sql, *job, stored.as_ref()).map(Ok),
    }
}

fn look(sql: &mut Statements<'_>, id: JobId) -> rusqlite::Result<Option<Stored>> {
    sql.get(To::Look)?
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
    sql: &mut Statements<'_>,
    (routes, claims): (&mut Routes, &mut Claims),
    put: &PreparedPut,
    stored: Option<&Stored>,
) -> rusqlite::Result<Result<Effect, store::Error>> {
    let id = put.job.id();
    let gives_up = match &put.key {
        None => None,
        Some(key) => match claims.look(sql.conn, key)? {
            Ok(gives_up) => gives_up,
            Err(_) if stored.is_none() && exists(sql.conn, id)? => {
                return Ok(Err(store::Error::Exists(id)));
            }
            Err(refused) => return Ok(Err(refused)),
        },
    };
    let mut freed = Vec::new();
    let mut request = stored.and_then(|stored| stored.request);
    if let Some(new) = &put.request {
        remove(sql, &REQUESTS, request, &mut freed)?;
        request = Some(add(sql, &REQUESTS, id, new)?);
    }
    let mut response = stored.and_then(|stored| stored.response);
    if put.response.is_some() || put.drops_response {
        remove(sql, &RESPONSES, response.take(), &mut freed)?;
    }
    if let Some(new) = &put.response {
        response = Some(add(sql, &RESPONSES, id, new)?);
    }
    // What is written again is not freed.
    let kept = [put.request_file(), put.response_file()];
    freed.retain(|file| !kept.contains(&Some(*file)));
    let route = routes.number(sql.conn, put.job.route())?;
    if !write_job(sql, put, route, stored.is_some(), [response, request])? {
        // That is looked at last, as it never happens: what stands beside the job goes again.
        remove(sql, &REQUESTS, request, &mut Vec::new())?;
        remove(sql, &RESPONSES, response, &mut Vec::new())?;
        return Ok(Err(store::Error::Exists(id)));
    }
    if let Some(key) = &put.key {
        claims.take(sql.conn, id, key, gives_up)?;
    }
    Ok(Ok(Effect {
        job: id,
        was: stored.map(|stored| (stored.route, stored.status)),
        is: Some((route, put.job.status())),
        freed,
        left: None,
    }))
}

/// Writes the job's row; false: it is new, and there is one with its id.
fn write_job(
    sql: &mut Statements<'_>,
    put: &PreparedPut,
    route: u32,
    is_stored: bool,
    [response, request]: [Option<i64>; 2],
) -> rusqlite::Result<bool> {
    let millis = |time: Option<Timestamp>| time.map(|time| time.as_millis().cast_signed());
    let to = if is_stored { To::UpdateJob } else { To::AddJob };
    let statement = sql.get(to)?;
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
    Ok(statement.raw_execute()? > 0)
}

fn exists(conn: &Connection, id: JobId) -> rusqlite::Result<bool> {
    conn.prepare_cached("SELECT 1 FROM jobs WHERE id = ?1")?
        .exists((id.as_bytes(),))
}

/// Adds a row and gives its number.
fn add<T>(
    sql: &mut Statements<'_>,
    table: &Beside,
    id: JobId,
    new: &Attached<T>,
) -> rusqlite::Result<i64> {
    let file = new.file.map(|file| file.0.to_be_bytes());
    sql.get(table.add)?
        .insert((id.as_bytes(), file, &new.record))
}

/// Removes a row, if there is one, and frees its file.
fn remove(
    sql: &mut Statements<'_>,
    table: &Beside,
    number: Option<i64>,
    freed: &mut Vec<BodyId>,
) -> rusqlite::Result<()> {
    let Some(number) = number else {
        return Ok(());
    };
    let file: Option<Option<[u8; 16]>> = sql
        .get(table.remove)?
        .query_row((number,), |row| row.get(0))
        .optional()?;
    freed.extend(file.flatten().map(|id| BodyId(u128::from_be_bytes(id))));
    Ok(())
}

fn delete_job(
    sql: &mut Statements<'_>,
    id: JobId,
    stored: Option<&Stored>,
) -> rusqlite::Result<Effect> {
    let mut freed = Vec::new();
    sql.get(To::DeleteJob)?.execute((id.as_bytes(),))?;
    if let Some(stored) = stored {
        remove(sql, &REQUESTS, stored.request, &mut freed)?;
        remove(sql, &RESPONSES, stored.response, &mut freed)?;
    }
    Ok(Effect {
        job: id,
        was: stored.map(|stored| (stored.route, stored.status)),
        is: None,
        freed,
        left: stored.and_then(|stored| stored.key),
    })
}
