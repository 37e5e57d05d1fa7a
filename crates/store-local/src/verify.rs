//! Checks what is stored, byte by byte.

use raincheck_core::id::JobId;
use rusqlite::Connection;

use crate::{jobs, row};

/// How many records do not match their checksum. Ends early, with what was found so far and one
/// more, when `stop` says so.
pub(crate) fn damaged_records(
    conn: &Connection,
    stop: impl Fn() -> bool,
) -> rusqlite::Result<usize> {
    let mut damaged = 0;
    for (table, check) in TABLES {
        let query = format!("SELECT id, {} FROM {table}", check.columns());
        let mut statement = conn.prepare(&query)?;
        let mut rows = statement.query(())?;
        let mut seen = 0_u32;
        while let Some(row) = rows.next()? {
            let id = row.get_ref(0)?.as_blob()?.try_into().ok();
            let whole = match id.and_then(JobId::from_bytes) {
                Some(id) => check.is_whole(id, row)?,
                None => false,
            };
            damaged += usize::from(!whole);
            seen += 1;
            if seen.is_multiple_of(1024) && stop() {
                return Ok(damaged + 1);
            }
        }
    }
    Ok(damaged)
}

const TABLES: [(&str, Table); 3] = [
    ("jobs", Table::Jobs),
    ("requests", Table::Requests),
    ("responses", Table::Responses),
];

#[derive(Clone, Copy)]
enum Table {
    Jobs,
    Requests,
    Responses,
}

impl Table {
    fn columns(self) -> &'static str {
        match self {
            Self::Jobs => "revision, status, record",
            Self::Requests | Self::Responses => "record",
        }
    }

    fn is_whole(self, id: JobId, row: &rusqlite::Row<'_>) -> rusqlite::Result<bool> {
        Ok(match self {
            Self::Jobs => jobs::of_row(id, row)?.is_ok(),
            Self::Requests => row::request::decode(id, row.get(1)?).is_ok(),
            Self::Responses => row::response::decode(id, row.get(1)?).is_ok(),
        })
    }
}
