//! Read connections: a few, each used by one read at a time, off the threads that serve
//! connections.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_store as store;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{connection, error};

/// Reads at a time. They come from the page cache, so more would only compete for the cores.
const CONNECTIONS: usize = 4;

/// Connections that nobody reads from, and the index of the log.
#[derive(Debug)]
struct Idle {
    conns: Mutex<Vec<Connection>>,
    /// Dropped after the connections: see `room`.
    _index: Arc<File>,
}

impl Idle {
    fn conns(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.conns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The read connections.
#[derive(Debug)]
pub(crate) struct Readers {
    path: PathBuf,
    idle: Arc<Idle>,
    turns: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, index: Arc<File>) -> Self {
        Self {
            path,
            idle: Arc::new(Idle {
                conns: Mutex::default(),
                _index: index,
            }),
            turns: Arc::new(Semaphore::new(CONNECTIONS)),
        }
    }

    /// Runs a read.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Failed> + Send + 'static,
    ) -> Result<T, store::Error> {
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|_| error::closed())?;
        let idle = Arc::clone(&self.idle);
        let path = self.path.clone();
        crate::body::blocking(move || {
            let conn = take(&idle, &path).map_err(|error| error::of_read(&error))?;
            let result = read(&conn);
            idle.conns().push(conn);
            drop(turn);
            result.map_err(Failed::into_error)
        })
        .await
    }

    /// Waits for the reads under way and closes the connections.
    pub(crate) async fn close(&self) {
        let everyone = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
        if let Ok(turns) = self.turns.acquire_many(everyone).await {
            self.turns.close();
            drop(turns);
        }
        self.forget();
    }

    /// Closes the connections that are idle.
    pub(crate) fn forget(&self) {
        self.turns.close();
        self.idle.conns().clear();
    }
}

fn take(idle: &Idle, path: &std::path::Path) -> rusqlite::Result<Connection> {
    let kept = idle.conns().pop();
    match kept {
        Some(conn) => Ok(conn),
        None => connection::reader(path),
    }
}

/// Why a read failed.
pub(crate) enum Failed {
    /// The engine said so.
    Engine(rusqlite::Error),
    /// We did.
    Store(store::Error),
}

impl Failed {
    pub(crate) fn into_error(self) -> store::Error {
        match self {
            Self::Engine(error) => error::of_read(&error),
            Self::Store(error) => error,
        }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Engine(error)
    }
}

impl From<store::Error> for Failed {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}
