//! The thread that deletes body files: those a commit freed, and, once after opening, those that
//! an earlier process left without a reference.
//!
//! Nothing is deleted while somebody holds the keep lock (a backup), after a fault, or, for what an
//! earlier process left, if any record is damaged: the damaged one may be what refers to it.

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use raincheck_store::BodyId;
use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};

use super::id_of;
use super::registry::Chore;
use crate::shared::Shared;
use crate::verify;

/// How long the thread waits for the keep lock to be free.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long it waits for something to do before it looks again.
const REST: Duration = Duration::from_secs(3600);

/// The thread's own things.
struct Sweeper {
    shared: Arc<Shared>,
    conn: Connection,
    keep: File,
}

/// Starts the thread.
pub(crate) fn start(
    shared: &Arc<Shared>,
    conn: Connection,
    keep: File,
) -> std::io::Result<JoinHandle<()>> {
    let sweeper = Sweeper {
        shared: Arc::clone(shared),
        conn,
        keep,
    };
    std::thread::Builder::new()
        .name("store-sweep".to_owned())
        .spawn(move || sweeper.run())
}

impl Sweeper {
    fn run(&self) {
        self.leftovers();
        loop {
            match self.shared.bodies.next_chore(REST) {
                Chore::Delete(ids) => {
                    if self.delete(&ids).is_break() {
                        return;
                    }
                }
                Chore::Nothing => {}
                Chore::Closed => return,
            }
        }
    }

    /// Deletes, if it may. Break: it may not, and the store is being closed; what is left is found
    /// when it is opened again.
    fn delete(&self, ids: &[BodyId]) -> ControlFlow<()> {
        let kept = flock(&self.keep, FlockOperation::NonBlockingLockExclusive).is_err();
        if kept || self.shared.fault.reason().is_some() {
            return if self.shared.bodies.closes_within(PATIENCE) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            };
        }
        self.shared.bodies.delete(ids);
        _ = flock(&self.keep, FlockOperation::Unlock);
        ControlFlow::Continue(())
    }

    /// Dooms files of earlier processes that nothing refers to.
    fn leftovers(&self) {
        let mut found = Vec::new();
        let Ok(dirs) = fs::read_dir(self.shared.bodies.root()) else {
            return;
        };
        for dir in dirs.flatten() {
            if self.shared.bodies.closes_within(Duration::ZERO) {
                return;
            }
            self.unreferred(&dir.path(), &mut found);
        }
        if found.is_empty() || !self.records_are_whole(found.len()) {
            return;
        }
        tracing::info!(count = found.len(), "deleting bodies that no job refers to");
        self.shared.bodies.doom(found.into_iter());
    }

    fn unreferred(&self, dir: &Path, found: &mut Vec<BodyId>) {
        let Ok(names) = fs::read_dir(dir) else {
            return;
        };
        for name in names.flatten() {
            let id = name.file_name().to_str().and_then(id_of);
            let Some(id) = id.filter(|id| !self.shared.bodies.is_ours(*id)) else {
                continue;
            };
            // On any doubt the file stays.
            if matches!(is_referred(&self.conn, id), Ok(false)) {
                found.push(id);
            }
        }
    }

    /// Whether every record is whole, so that what looks unreferred is.
    fn records_are_whole(&self, count: usize) -> bool {
        let stop = || self.shared.bodies.closes_within(Duration::ZERO);
        let damaged = verify::damaged_records(&self.conn, stop);
        if let Ok(0) = damaged {
            return true;
        }
        if !stop() {
            tracing::warn!(
                count,
                "bodies that no job seems to refer to are kept, because some records are damaged"
            );
        }
        false
    }
}

/// Whether something refers to the body.
pub(crate) fn is_referred(conn: &Connection, id: BodyId) -> rusqlite::Result<bool> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM requests WHERE body = ?1)
             OR EXISTS (SELECT 1 FROM responses WHERE body = ?1)",
    )?;
    statement.query_row((id.0.to_be_bytes(),), |row| row.get(0))
}
