//! Moving pages from the log to the database file, in two steps so that commits hardly notice.
//!
//! A thread moves what there is while commits go on. The log can start over only when all of it was
//! moved, and a writer that never pauses always adds some; so when the thread is done the writer
//! moves the little that came meanwhile, between two commits. Should the log grow to
//! [`PAGES_MAX`] all the same, the writer moves all of it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};

use crate::fault::Fault;

/// Pages in the log for which the thread begins.
const PAGES: u64 = 1000;
/// Pages in the log at which the writer itself moves them.
const PAGES_MAX: u64 = 4000;

const FAILED: &str = "the log could not be moved to the database file";

/// Where thread and writer meet.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Pages in the log.
    pages: u64,
    /// Pages at which the writer moves them itself.
    limit: u64,
    turn: Turn,
    closed: bool,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Thread,
    Writer,
}

impl Default for Checkpoints {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                pages: 0,
                limit: PAGES_MAX,
                turn: Turn::Thread,
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl Checkpoints {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit of the writer left so many pages in the log.
    pub(crate) fn logged(&self, pages: u64) {
        let mut state = self.state();
        state.pages = pages;
        if pages >= PAGES && state.turn == Turn::Thread {
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Moves what is left of the log, if it is the writer's turn. To be called between commits.
    pub(crate) fn finish(&self, conn: &Connection, fault: &Fault) {
        let state = self.state();
        if state.turn == Turn::Thread && state.pages < state.limit {
            return;
        }
        drop(state);
        self.move_rest(conn, fault);
    }

    /// Moves all there is: a log that is empty is quickly read at the next start, and the database
    /// file is cut to what it holds.
    pub(crate) fn empty(&self, conn: &Connection, fault: &Fault) {
        if self.state().pages > 0 && fault.reason().is_none() {
            self.move_rest(conn, fault);
        }
    }

    fn move_rest(&self, conn: &Connection, fault: &Fault) {
        let emptied = move_pages(conn, fault);
        let mut state = self.state();
        state.turn = Turn::Thread;
        if emptied {
            state.pages = 0;
            state.limit = PAGES_MAX;
        } else {
            // A reader holds on to an old state. Trying again at each commit would cost more than
            // it brings.
            state.limit = state.pages + PAGES;
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Waits for the thread's turn; false: closed.
    fn wait(&self) -> bool {
        let waited = self.changed.wait_while(self.state(), |state| {
            !state.closed && (state.turn == Turn::Writer || state.pages < PAGES)
        });
        let state = waited.unwrap_or_else(PoisonError::into_inner);
        !state.closed
    }

    fn passed(&self) {
        self.state().turn = Turn::Writer;
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
                checkpoints.passed();
            }
        })
}

/// Moves pages; true: all of them. Nothing is lost where this fails for want of room or because
/// somebody reads: the log keeps what was not moved. After any other failure the disk cannot be
/// trusted.
fn move_pages(conn: &Connection, fault: &Fault) -> bool {
    match conn.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
        Ok((logged, moved)) => logged == moved && logged >= 0,
        Err(error) => {
            match error.sqlite_error_code() {
                // The other one is at it.
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {}
                Some(ErrorCode::SystemIoFailure) => fault.raise(&format!("{FAILED}: {error}")),
                // A store without room says so when a change fails.
                Some(ErrorCode::DiskFull) => tracing::debug!(%error, "{FAILED}"),
                _ => tracing::warn!(%error, "{FAILED}"),
            }
            false
        }
    }
}
