//! The threads of an open store, and the order in which they end.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::inbox::Inbox;
use crate::lock::Lock;
use crate::shared::Shared;

/// The threads. Dropping this ends them, having written all that was handed in, and then lets go of
/// the data directory.
pub(crate) struct Threads {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    pub(crate) writer: Option<JoinHandle<Option<Connection>>>,
    pub(crate) checkpoint: Option<JoinHandle<()>>,
    pub(crate) sweep: Option<JoinHandle<()>>,
    pub(crate) scrub: Option<JoinHandle<()>>,
    /// Dropped after the connections: see `room`.
    _index: Arc<File>,
    _lock: Lock,
}

impl Threads {
    pub(crate) fn new(
        shared: Arc<Shared>,
        inbox: Arc<Inbox>,
        index: Arc<File>,
        lock: Lock,
    ) -> Self {
        Self {
            shared,
            inbox,
            writer: None,
            checkpoint: None,
            sweep: None,
            scrub: None,
            _index: index,
            _lock: lock,
        }
    }

    /// What the threads share.
    pub(crate) fn parts(&self) -> (Arc<Shared>, Arc<Inbox>) {
        (Arc::clone(&self.shared), Arc::clone(&self.inbox))
    }
}

impl Drop for Threads {
    /// The writer's connection is closed last: the last one to be closed moves the log to the
    /// database file and deletes it, and only this one may write.
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::Release);
        self.inbox.close();
        let conn = self
            .writer
            .take()
            .and_then(|thread| thread.join().ok().flatten());
        self.shared.bodies.close();
        self.shared.checkpoints.close();
        for thread in [self.sweep.take(), self.scrub.take(), self.checkpoint.take()] {
            // A thread that panicked has nothing left to end.
            _ = thread.map(JoinHandle::join);
        }
        drop(conn);
    }
}
