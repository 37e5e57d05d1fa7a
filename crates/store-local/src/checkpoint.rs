//! A thread that moves pages from the log to the database file, so that no commit has to.
//!
//! It can move only what is not read meanwhile and the log starts over only when all of it was
//! moved, so under steady load the writer's own checkpoint at `connection::LOG_PAGES_MAX` pages
//! remains necessary.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, ErrorCode};

use crate::fault::Fault;

/// Transactions after which the thread looks at the log.
const COMMITS: u32 = 64;

/// Tells the thread what the writer did.
#[derive(Debug, Default)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    commits: u32,
    closed: bool,
}

impl Checkpoints {
    /// The writer has committed a transaction.
    pub(crate) fn committed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.commits += 1;
        if state.commits == COMMITS {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.changed.notify_one();
    }

    /// Waits for enough commits; false: closed.
    fn wait(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_while(state, |state| state.commits < COMMITS && !state.closed);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.commits = 0;
        !state.closed
    }
}

/// Starts the thread.
pub(crate) fn start(
    conn: Connection,
    checkpoints: &Arc<Checkpoints>,
    fault: &Arc<Fault>,
) -> std::io::Result<JoinHandle<()>> {
    let checkpoints = Arc::clone(checkpoints);
    let fault = Arc::clone(fault);
    std::thread::Builder::new()
        .name("store-checkpoint".to_owned())
        .spawn(move || {
            while checkpoints.wait() {
                move_pages(&conn, &fault);
            }
        })
}

/// Nothing is lost where this fails for want of room or because somebody reads: the log keeps what
/// was not moved. After any other failure the disk cannot be trusted.
fn move_pages(conn: &Connection, fault: &Fault) {
    let moved = conn.query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()));
    let Err(error) = moved else {
        return;
    };
    if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) {
        fault.raise(&format!(
            "the log could not be moved to the database file: {error}"
        ));
    } else {
        tracing::warn!(%error, "the log could not be moved to the database file");
    }
}
