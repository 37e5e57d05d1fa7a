//! Every frame of every body that something refers to.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use raincheck_core::id::JobId;
use raincheck_store::{Body, BodyId};
use rusqlite::{Connection, Row};

use super::{Finding, Report};
use crate::body::frame;
use crate::body::{id_of, open_file, path_of};
use crate::files::Layout;
use crate::row;

const REQUESTS: &str = "SELECT id, record FROM requests WHERE body IS NOT NULL";
const RESPONSES: &str = "SELECT id, record FROM responses WHERE body IS NOT NULL";

/// Looks at every body, and counts files that nothing refers to.
pub(super) fn look(
    conn: &Connection,
    layout: &Layout,
    report: &mut Report,
) -> rusqlite::Result<()> {
    let mut referred = HashSet::new();
    referring(conn, REQUESTS, |id, record| {
        if let Ok(request) = row::request::decode(id, record) {
            body(layout, report, &mut referred, id, &request.body);
        }
    })?;
    referring(conn, RESPONSES, |id, record| {
        if let Ok(response) = row::response::decode(id, record) {
            body(layout, report, &mut referred, id, &response.body);
        }
    })?;
    report.unreferred = unreferred(&layout.bodies(), &referred);
    Ok(())
}

fn referring(
    conn: &Connection,
    query: &str,
    mut look: impl FnMut(JobId, Vec<u8>),
) -> rusqlite::Result<()> {
    let mut statement = conn.prepare(query)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        if let Some(id) = crate::jobs::id_of(row)? {
            look(id, record(row)?);
        }
    }
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<Vec<u8>> {
    row.get(1)
}

fn body(
    layout: &Layout,
    report: &mut Report,
    referred: &mut HashSet<BodyId>,
    job: JobId,
    body: &Body,
) {
    let Body::File { id, len } = body else {
        return;
    };
    referred.insert(*id);
    report.bodies += 1;
    report.body_bytes += len;
    let path = path_of(&layout.bodies(), *id);
    if let Err((offset, problem)) = frames(&path, *id, *len) {
        let file = path.strip_prefix(layout.root()).unwrap_or(&path);
        report.add(Finding {
            file: file.display().to_string(),
            offset,
            job: Some(job.to_string()),
            problem,
        });
    }
}

fn frames(path: &Path, id: BodyId, len: u64) -> Result<(), (Option<u64>, String)> {
    let file = open_file(path, id, len).map_err(|error| (None, error.to_string()))?;
    for index in 0..len.div_ceil(frame::PAYLOAD) {
        let payload = frame::payload_len(index, len);
        frame::read(&file, id, index, payload)
            .map_err(|damage| (damage.at(), damage.to_string()))?;
    }
    Ok(())
}

fn unreferred(bodies: &Path, referred: &HashSet<BodyId>) -> u64 {
    let dirs = fs::read_dir(bodies).into_iter().flatten().flatten();
    let names = dirs.flat_map(|dir| fs::read_dir(dir.path()).into_iter().flatten().flatten());
    let ids = names.filter_map(|name| name.file_name().to_str().and_then(id_of));
    ids.filter(|id| !referred.contains(id)).count() as u64
}
