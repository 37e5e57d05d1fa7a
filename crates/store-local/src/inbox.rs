//! Changes on their way to the writer: a bounded queue that wakes the writer once per batch and
//! not once per change.
//!
//! The bound is a semaphore that callers wait for without holding a thread. The linger is a wait
//! for a number of changes and not for the next one: waking a thread costs more than writing a
//! row.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_core::limits;
use raincheck_store as store;
use tokio::sync::{Semaphore, oneshot};

use crate::change::Prepared;
use crate::error;
use crate::writer::linger::Wish;

/// A change that was handed in, and who waits for its end.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) change: Prepared,
    pub(crate) done: oneshot::Sender<Result<(), store::Error>>,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(crate) enum Next {
    /// Write these.
    Batch {
        /// What was handed in.
        batch: Vec<Handed>,
        /// How much of it had been there when the batch was asked for.
        before: usize,
    },
    /// Nothing was handed in for a while.
    Idle,
    /// Nothing will be handed in any more.
    Closed,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    filled: Condvar,
    room: Semaphore,
}

#[derive(Debug, Default)]
struct Queue {
    changes: VecDeque<Handed>,
    closed: bool,
    /// How many changes the waiting writer wants to be woken for; 0: it is not waiting.
    wanted: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            queue: Mutex::default(),
            filled: Condvar::new(),
            room: Semaphore::new(limits::COMMIT_QUEUE),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room.
    pub(crate) async fn room(&self) -> Result<(), store::Error> {
        let permit = self.room.acquire().await.map_err(|_| error::closed())?;
        permit.forget();
        Ok(())
    }

    /// Hands in a change that there is room for.
    pub(crate) fn push(&self, handed: Handed) -> Result<(), store::Error> {
        let mut queue = self.queue();
        if queue.closed {
            return Err(error::closed());
        }
        queue.changes.push_back(handed);
        if queue.wanted > 0 && queue.changes.len() >= queue.wanted {
            queue.wanted = 0;
            drop(queue);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes nothing more in.
    pub(crate) fn close(&self) {
        self.room.close();
        self.queue().closed = true;
        self.filled.notify_one();
    }

    /// Takes nothing more in and drops what is left: who waits for it is told that nobody will
    /// write it.
    pub(crate) fn abandon(&self) {
        self.close();
        let left = std::mem::take(&mut self.queue().changes);
        drop(left);
    }

    /// The next batch: what is there, or, where the wish is to wait, what is there once so many
    /// changes are, or the time is over.
    pub(crate) fn next(&self, wish: Wish, idle: Duration) -> Next {
        let mut queue = self.queue();
        let before = queue.changes.len();
        if queue.changes.is_empty() {
            queue = self.wait(queue, 1, idle);
        }
        if queue.changes.is_empty() {
            return if queue.closed {
                Next::Closed
            } else {
                Next::Idle
            };
        }
        let waits = before < wish.enough && !wish.wait.is_zero();
        if waits && queue.changes.len() < wish.changes && !queue.closed {
            queue = self.wait(queue, wish.changes, wish.wait);
        }
        let count = queue.changes.len().min(limits::COMMIT_BATCH);
        let batch: Vec<_> = queue.changes.drain(..count).collect();
        drop(queue);
        self.room.add_permits(count);
        Next::Batch { batch, before }
    }

    fn wait<'a>(
        &self,
        mut queue: MutexGuard<'a, Queue>,
        count: usize,
        limit: Duration,
    ) -> MutexGuard<'a, Queue> {
        queue.wanted = count;
        let lacks = |queue: &mut Queue| queue.changes.len() < count && !queue.closed;
        let waited = self.filled.wait_timeout_while(queue, limit, lacks);
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.wanted = 0;
        queue
    }
}
