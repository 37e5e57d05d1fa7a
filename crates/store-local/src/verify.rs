//! Checks what is stored, byte by byte: the log, the database's own structure, every record's
//! checksum, what refers to what, and every frame of every body.
//!
//! Nothing is changed. The data directory must not be served meanwhile.

mod bodies;
mod locate;
mod records;

use std::path::Path;

use rusqlite::Connection;

use crate::error::OpenError;
use crate::files::Layout;
use crate::lock::Lock;
use crate::{connection, log, migrate, room};

pub(crate) use records::{Batch, Referred, TABLES, Table, batch, damaged_records};

/// Findings that are listed; further ones are counted.
const FINDINGS_MAX: usize = 1000;
/// Findings from which on the place of a record is not looked for: each is a walk through the file.
const LOCATED_MAX: usize = 50;
/// The database's file.
const DATABASE: &str = "jobs.db";
/// Bytes of a page of the database.
const PAGE: u64 = 4096;

/// A look at one kind of thing.
type Look = fn(&Connection, &Layout, &mut Report) -> rusqlite::Result<()>;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Jobs that were looked at.
    pub jobs: u64,
    /// Requests that were looked at.
    pub requests: u64,
    /// Responses that were looked at.
    pub responses: u64,
    /// Keys that were looked at.
    pub keys: u64,
    /// Body files that were looked at.
    pub bodies: u64,
    /// Bytes in them.
    pub body_bytes: u64,
    /// Body files that nothing refers to: left behind by a crash, deleted at the next start.
    pub unreferred: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// How many further things are wrong.
    pub more: u64,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, as seen from the data directory.
    pub file: String,
    /// Where in the file, if that can be told.
    pub offset: Option<u64>,
    /// The job it is about, if that can be told.
    pub job: Option<String>,
    /// What is wrong.
    pub problem: String,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.findings.is_empty()
    }

    fn is_long(&self) -> bool {
        self.findings.len() >= LOCATED_MAX
    }

    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        } else {
            self.more += 1;
        }
    }

    fn add_to_database(&mut self, offset: Option<u64>, job: Option<String>, problem: String) {
        self.add(Finding {
            file: DATABASE.to_owned(),
            offset,
            job,
            problem,
        });
    }
}

/// Checks the data directory at `path`, which needs not be writable. Blocks.
///
/// # Errors
/// It is in use, is none, is of a later version, or cannot be read at all.
pub fn verify(path: impl AsRef<Path>) -> Result<Report, OpenError> {
    let layout = Layout::of_existing(path.as_ref())?;
    let (_lock, connect): (_, Connect) = match Lock::take(layout.root(), &layout.lock()) {
        Err(OpenError::ReadOnly { .. }) => (
            Lock::take_read_only(layout.root(), &layout.lock())?,
            connect_read_only,
        ),
        taken => (Some(taken?), connect),
    };
    let mut report = Report::default();
    look_at_log(&layout, &mut report)?;
    let conn = connect(&layout)?;
    migrate::check(&conn, layout.root(), &layout.database())?;
    // Damage that ends a look early is a finding, not an error: the others go on.
    for look in [structure, records::look, bodies::look] as [Look; 3] {
        if let Err(error) = look(&conn, &layout, &mut report) {
            report.add_to_database(None, None, error.to_string());
        }
    }
    Ok(report)
}

/// How a check comes to read the database.
type Connect = fn(&Layout) -> Result<Connection, OpenError>;

/// A connection that writes nothing, not even a lock: what cannot be written does not change.
fn connect_read_only(layout: &Layout) -> Result<Connection, OpenError> {
    let path = layout.database();
    let conn = connection::read_only_reader(&path, layout.log().exists());
    conn.map_err(|error| OpenError::of_engine(&path, &error))
}

/// A connection that needs no room on the disk, or one like any other where somebody else reads.
fn connect(layout: &Layout) -> Result<Connection, OpenError> {
    let path = layout.database();
    if let Ok(conn) = connection::sole_reader(&path) {
        return Ok(conn);
    }
    room::check(layout)?;
    connection::reader(&path).map_err(|error| OpenError::of_engine(&path, &error))
}

fn look_at_log(layout: &Layout, report: &mut Report) -> Result<(), OpenError> {
    let path = layout.log();
    let damage = log::check(&path).map_err(|error| OpenError::of_io(&path, &error))?;
    if let Some(damage) = damage {
        report.add(Finding {
            file: "jobs.db-wal".to_owned(),
            offset: Some(damage.at),
            job: None,
            problem: format!(
                "it is damaged here, and at least {} transactions follow",
                damage.lost
            ),
        });
    }
    Ok(())
}

/// The engine's own check of its structure.
fn structure(conn: &Connection, _layout: &Layout, report: &mut Report) -> rusqlite::Result<()> {
    let mut statement = conn.prepare("PRAGMA integrity_check(1000)")?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        for line in text.lines().filter(|line| *line != "ok") {
            report.add_to_database(page_of(line), None, line.to_owned());
        }
    }
    Ok(())
}

/// Where the page begins that a line of the engine's check names.
fn page_of(line: &str) -> Option<u64> {
    let words: Vec<&str> = line.split([' ', ':']).collect();
    let at = words
        .iter()
        .position(|word| word.eq_ignore_ascii_case("page"))?;
    let page: u64 = words.get(at + 1)?.parse().ok()?;
    Some(page.checked_sub(1)? * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_a_line_becomes_an_offset() {
        assert_eq!(
            page_of("Tree 4 page 12 cell 3: Rowid out of order"),
            Some(11 * PAGE)
        );
        assert_eq!(page_of("Page 1: never used"), Some(0));
        assert_eq!(page_of("row 1 missing from index jobs_due"), None);
    }
}
