//! Damaged records of jobs: what can be read beside them, and a copy for a look.
//!
//! A change will take the record's place, so its bytes are kept in a file of their own:
//! `damaged/<job>.<revision>`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use raincheck_core::id::{FencingToken, JobId, Revision};
use raincheck_core::job::Remains;
use raincheck_core::limits::DAMAGED_KEPT;
use rusqlite::{Connection, OptionalExtension};

use crate::reader::Failed;
use crate::{error, files, jobs};

const ROW: &str = "SELECT id, revision, status, record, token, name
    FROM jobs JOIN routes ON routes.number = jobs.route WHERE id = ?1";

/// The columns of a damaged job, after its record was copied into `dir`.
pub(crate) fn remains(conn: &Connection, dir: &Path, id: JobId) -> Result<Option<Remains>, Failed> {
    let read = |row: &rusqlite::Row<'_>| {
        let whole = jobs::of_row(id, row).is_ok_and(|job| job.is_ok());
        let revision = Revision(row.get::<_, i64>(1)?.cast_unsigned());
        let token = FencingToken(row.get::<_, i64>(4)?.cast_unsigned());
        let record = row.get_ref(3)?.as_bytes()?.to_vec();
        Ok((whole, revision, token, record, row.get::<_, String>(5)?))
    };
    let row = conn.prepare_cached(ROW)?.query_row((id.as_bytes(),), read);
    let Some((false, revision, token, record, name)) = row.optional()? else {
        return Ok(None);
    };
    let Ok(route) = name.parse() else {
        return Ok(None);
    };
    let file = dir.join(format!("{id}.{}", revision.0));
    keep(dir, &file, &record).map_err(|error| error::of_file("a damaged record", &error))?;
    tracing::error!(job = %id, file = %file.display(), "a damaged record was set aside");
    Ok(Some(Remains {
        id,
        route,
        revision,
        token,
    }))
}

/// Writes the file, unless it is there already or there are too many.
fn keep(dir: &Path, file: &Path, record: &[u8]) -> io::Result<()> {
    files::create_dir(dir)?;
    if file.exists() || fs::read_dir(dir)?.count() >= DAMAGED_KEPT {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(record)?;
    file.sync_all()?;
    files::sync_dir(dir)
}
