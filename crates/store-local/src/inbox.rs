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
    /// Whether the waiting writer would write the next change by itself, and at once.
    lone: bool,
    /// Somebody writes a change of its own, see [`Inbox::turn`]. The writer keeps out of it.
    taken: bool,
    /// Changes that were written so.
    turns: u64,
}

/// The right to write one change in the writer's place. The writer goes on when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    inbox: &'a Inbox,
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
        if !queue.taken && queue.wanted > 0 && queue.changes.len() >= queue.wanted {
            queue.wanted = 0;
            drop(queue);
            self.filled.notify_one();
        }
        Ok(())
    }

    /// The writer's place, where it rests, nothing waits to be written, and changes have come one
    /// at a time: whoever has one there is room for may then write it, which saves two wake-ups
    /// between threads. What is handed in meanwhile waits for the writer as ever.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        let mut queue = self.queue();
        let free = queue.lone && queue.wanted == 1 && !queue.taken && !queue.closed;
        if !free || !queue.changes.is_empty() {
            return None;
        }
        queue.taken = true;
        queue.turns = queue.turns.wrapping_add(1);
        Some(Turn { inbox: self })
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
        while queue.changes.is_empty() && !queue.closed {
            let turns = queue.turns;
            queue.lone = wish.changes <= 1;
            queue = self.wait(queue, 1, idle);
            queue.lone = false;
            if queue.turns == turns {
                break;
            }
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
        let waited = self
            .filled
            .wait_timeout_while(queue, limit, |queue| queue.taken || lacks(queue));
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        queue.wanted = 0;
        // The time may be over while somebody else writes; that ends as soon as a write does.
        let waited = self.filled.wait_while(queue, |queue| queue.taken);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.inbox.queue();
        queue.taken = false;
        // The writer is waiting: for these, for the end, or for this turn to be over.
        let wakes = queue.wanted == 0 || queue.closed || !queue.changes.is_empty();
        drop(queue);
        self.inbox.room.add_permits(1);
        if wakes {
            self.inbox.filled.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    //! Who writes when: the writer or somebody in its place, never both, and nobody is forgotten.

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    use std::thread;

    use raincheck_core::job::submit;
    use raincheck_store::Change;
    use raincheck_store::conformance::make::{self, at};

    use super::*;

    const ALONE: Wish = Wish {
        changes: 1,
        wait: Duration::ZERO,
        enough: 1,
    };

    fn handed() -> Handed {
        let put = make::put(submit(make::submission(1, "r"), at(5)));
        let (done, _) = oneshot::channel();
        let change = Prepared::new(Change::Put(put.into()));
        Handed { change, done }
    }

    /// A turn, as soon as the writer rests.
    fn turn(inbox: &Inbox) -> Turn<'_> {
        loop {
            if let Some(turn) = inbox.turn() {
                return turn;
            }
            thread::yield_now();
        }
    }

    #[test]
    fn there_is_no_turn_without_a_writer_that_rests() {
        let inbox = Inbox::new();
        assert!(inbox.turn().is_none());
        inbox.push(handed()).unwrap();
        assert!(inbox.turn().is_none());
    }

    #[test]
    fn what_comes_during_a_turn_is_the_writers_after_it() {
        let inbox = Arc::new(Inbox::new());
        let writer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.next(ALONE, Duration::from_secs(600))
        });
        let turn = turn(&inbox);
        assert!(inbox.turn().is_none(), "one at a time");
        inbox.push(handed()).unwrap();
        assert_eq!(inbox.queue().changes.len(), 1, "it is left alone");
        drop(turn);
        let Next::Batch { batch, before } = writer.join().unwrap() else {
            panic!("no batch");
        };
        assert_eq!((batch.len(), before), (1, 0));
    }

    #[test]
    fn who_waits_for_many_is_not_served_one_by_one() {
        let inbox = Arc::new(Inbox::new());
        let many = Wish {
            changes: 4,
            ..ALONE
        };
        let writer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.next(many, Duration::from_secs(600))
        });
        while inbox.queue().wanted == 0 {
            thread::yield_now();
        }
        assert!(inbox.turn().is_none());
        inbox.push(handed()).unwrap();
        assert!(matches!(writer.join().unwrap(), Next::Batch { .. }));
    }

    #[test]
    fn the_end_waits_for_the_turn() {
        let inbox = Arc::new(Inbox::new());
        let writer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.next(ALONE, Duration::from_secs(600))
        });
        let turn = turn(&inbox);
        inbox.close();
        assert!(!writer.is_finished());
        drop(turn);
        assert!(matches!(writer.join().unwrap(), Next::Closed));
    }

    #[test]
    fn nothing_is_written_twice_at_once_and_nothing_is_left() {
        const CLIENTS: u64 = 4;
        const CHANGES: u64 = 2_000;
        let inbox = Arc::new(Inbox::new());
        let (busy, written) = (AtomicBool::new(false), AtomicU64::new(0));
        let write = |count: usize| {
            assert!(!busy.swap(true, SeqCst), "two at once");
            thread::yield_now();
            written.fetch_add(u64::try_from(count).unwrap(), SeqCst);
            busy.store(false, SeqCst);
        };
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                loop {
                    match inbox.next(ALONE, Duration::from_secs(600)) {
                        Next::Batch { batch, .. } => write(batch.len()),
                        Next::Idle => {}
                        Next::Closed => return,
                    }
                }
            });
            let clients: Vec<_> = (0..CLIENTS)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..CHANGES {
                            match inbox.turn() {
                                Some(_turn) => write(1),
                                None => inbox.push(handed()).unwrap(),
                            }
                        }
                    })
                })
                .collect();
            for client in clients {
                client.join().unwrap();
            }
            inbox.close();
            writer.join().unwrap();
        });
        assert_eq!(written.into_inner(), CLIENTS * CHANGES);
    }
}
