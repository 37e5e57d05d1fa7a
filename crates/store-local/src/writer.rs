//! The one writer: a thread with its own connection that gathers changes into transactions.
//!
//! One sync serves every change of a batch, and nothing is answered before it has returned. While
//! changes come one at a time each is written at once; as soon as a batch had several, the writer
//! waits a little for as many again before it begins the next, unless many have come while it wrote
//! (see `linger`). That halves the work
//! per change under load and costs a lone client nothing.

mod apply;
mod full;
mod keys;
pub(crate) mod linger;
mod statements;
mod vacuum;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use raincheck_core::id::RouteName;
use raincheck_store as store;
use rusqlite::Connection;
use tokio::time::Instant;

use crate::change::{Effect, Prepared};
use crate::error::{Reach, reach, words};
use crate::inbox::{Handed, Inbox, Next, Turn};
use crate::reserve::Reserve;
use crate::shared::Shared;
use apply::Routes;
use keys::Claims;
use linger::Linger;
use statements::Statements;

/// How long nothing must have happened before the writer looks whether the file can be made
/// smaller, and how long it waits between two steps of that.
const PAUSE: Duration = Duration::from_millis(20);
/// How long nothing must have happened before it empties the log.
const IDLE: Duration = Duration::from_secs(2);
/// Batches after which it looks although it never rests.
const BATCHES: u32 = 1000;

/// The writer's own things, with its thread or with whoever writes in its place.
struct Writer {
    conn: Connection,
    reserve: Reserve,
    routes: Routes,
    claims: Claims,
    shared: Arc<Shared>,
    /// Since the last look at the size of the file.
    batches: u32,
}

/// What it takes to write; nobody has it any more once the thread has ended.
pub(crate) struct Pen {
    writer: Mutex<Option<Writer>>,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
}

/// Starts the writer. It ends, having written all that was handed in, when the inbox is closed, and
/// gives its connection back. The pen is for those who have a turn of the inbox.
pub(crate) fn start(
    conn: Connection,
    reserve: Reserve,
    shared: &Arc<Shared>,
    inbox: &Arc<Inbox>,
    routes: HashMap<RouteName, u32>,
) -> std::io::Result<(JoinHandle<Option<Connection>>, Arc<Pen>)> {
    let writer = Writer {
        conn,
        reserve,
        routes: Routes::new(routes),
        claims: Claims::new(shared),
        shared: Arc::clone(shared),
        batches: 0,
    };
    let pen = Arc::new(Pen {
        writer: Mutex::new(Some(writer)),
        shared: Arc::clone(shared),
        inbox: Arc::clone(inbox),
    });
    let held = Arc::clone(&pen);
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || held.run())?;
    Ok((thread, pen))
}

/// Nobody may wait for a writer that is gone.
struct Farewell<'a>(&'a Pen);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.shared.fault.raise("the writer panicked");
            self.0.inbox.abandon();
        }
    }
}

impl Pen {
    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes one change in the writer's place. Blocks for as long as the disk takes.
    pub(crate) fn write(&self, turn: Turn<'_>, handed: Handed) {
        let _farewell = Farewell(self);
        if let Some(writer) = &mut *self.writer() {
            writer.take_turn(vec![handed]);
        }
        drop(turn);
    }

    fn run(&self) -> Option<Connection> {
        let _farewell = Farewell(self);
        let mut linger = Linger::new();
        let mut idle = PAUSE;
        loop {
            match self.inbox.next(linger.next(), idle) {
                Next::Batch { batch, before } => {
                    linger.had(batch.len(), before);
                    idle = PAUSE;
                    if let Some(writer) = &mut *self.writer() {
                        writer.take_turn(batch);
                    }
                }
                Next::Idle => {
                    linger.idle();
                    idle = match &*self.writer() {
                        Some(writer) if writer.rest(idle) => PAUSE,
                        _ => IDLE,
                    };
                }
                Next::Closed => {
                    self.inbox.abandon();
                    return self.writer().take().map(|writer| writer.conn);
                }
            }
        }
    }
}

impl Writer {
    /// Writes a batch, and now and then looks whether the file can be made smaller.
    fn take_turn(&mut self, batch: Vec<Handed>) {
        self.write(batch);
        self.batches = self.batches.wrapping_add(1);
        if self.batches.is_multiple_of(BATCHES) {
            self.give_back_pages();
        }
    }

    /// Nothing was handed in for so long; true: there is more to be done soon.
    fn rest(&self, idle: Duration) -> bool {
        self.look_for_room();
        let more = self.give_back_pages();
        if idle == IDLE {
            self.shared
                .checkpoints
                .empty(&self.conn, &self.shared.fault);
        }
        more
    }

    /// Writes a batch and answers everybody in it.
    ///
    /// In the order of their jobs: ids grow with time, so new rows are added at the right-hand edge
    /// of every index one after the other, which fills pages to the brim. Changes of one job keep
    /// their order.
    fn write(&mut self, mut batch: Vec<Handed>) {
        batch.sort_by_key(|handed| handed.change.job());
        if let Err(refusal) = self.shared.fault.check() {
            return answer_all(batch, &refusal);
        }
        batch = self.admit(batch);
        if batch.is_empty() {
            return;
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        let began = Instant::now();
        let written = self.transaction(&batch, &mut outcomes);
        self.shared.metrics.commit(batch.len(), began.elapsed());
        match written {
            Ok(()) => self.durable(batch, outcomes),
            Err(error) => self.failed(batch, &error),
        }
    }

    fn transaction(
        &mut self,
        batch: &[Handed],
        outcomes: &mut Vec<Result<Effect, store::Error>>,
    ) -> rusqlite::Result<()> {
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute(())?;
        let mut statements = Statements::new(&self.conn);
        for handed in batch {
            let books = (&mut self.routes, &mut self.claims);
            outcomes.push(apply::apply(&mut statements, books, &handed.change)?);
        }
        drop(statements);
        self.conn.prepare_cached("COMMIT")?.execute(())?;
        Ok(())
    }

    /// The sync has returned: books first, so that what is answered can be read, then answers.
    fn durable(&mut self, batch: Vec<Handed>, outcomes: Vec<Result<Effect, store::Error>>) {
        let grows = !self.is_only_making_room(&batch);
        let mut effects = Vec::with_capacity(batch.len());
        let mut changes: Vec<Prepared> = Vec::with_capacity(batch.len());
        let mut answers = Vec::with_capacity(batch.len());
        for (handed, outcome) in batch.into_iter().zip(outcomes) {
            match outcome {
                Ok(effect) => {
                    effects.push(effect);
                    answers.push((handed.done, Ok(())));
                    self.shared.bodies.referred(handed.change.files());
                    changes.push(handed.change);
                }
                Err(refused) => {
                    self.shared.bodies.unclaimed(handed.change.files());
                    if let store::Error::Fenced(_) = refused {
                        // Nobody will come again with the answer of an attempt that is over.
                        handed
                            .change
                            .files()
                            .for_each(|id| self.shared.bodies.abandoned(id));
                    }
                    answers.push((handed.done, Err(refused)));
                }
            }
        }
        let freed = effects.iter_mut().flat_map(|effect| effect.freed.drain(..));
        self.shared.bodies.doom(freed);
        self.shared.ledger.enter(&effects, &self.routes.kept());
        self.hold_keys(&effects, &changes);
        self.shared.recent.enter(changes.into_iter());
        self.written(grows);
        for (done, answer) in answers {
            // Nobody listens where the caller has given up; the change stands all the same.
            _ = done.send(answer);
        }
        self.shared
            .checkpoints
            .finish(&self.conn, &self.shared.fault);
    }

    /// Enters the keys that were taken, and takes out those that were given up or forgotten.
    fn hold_keys(&mut self, effects: &[Effect], changes: &[Prepared]) {
        self.claims.over();
        let mut ring = self.shared.keyring.kept();
        for (effect, change) in effects.iter().zip(changes) {
            if let Prepared::Put(put) = change
                && let Some(key) = &put.key
            {
                let new = key.new;
                new.replaces
                    .into_iter()
                    .for_each(|job| ring.leave(new.digest, job));
                ring.enter(new.digest, effect.job);
            }
            if let Some(digest) = effect.left {
                ring.leave(digest, effect.job);
            }
        }
    }

    fn failed(&mut self, batch: Vec<Handed>, error: &rusqlite::Error) {
        self.routes.dropped();
        self.claims.over();
        let reach = reach(error);
        // Where there is no transaction any more, the engine has rolled it back itself.
        let rolled_back = self.conn.is_autocommit() || self.conn.execute_batch("ROLLBACK").is_ok();
        if !rolled_back || reach == Reach::Fault {
            let reason = words(error);
            self.shared.fault.raise(&reason);
            return answer_all(batch, &store::Error::Unavailable(reason));
        }
        match reach {
            Reach::Damage if batch.len() > 1 => {
                for handed in batch {
                    self.write(vec![handed]);
                }
            }
            Reach::Damage => self.refuse(batch, &store::Error::Corrupt(error.to_string())),
            Reach::Full | Reach::Fault => self.full(batch, &error.to_string()),
        }
    }

    /// Nothing of this batch is on disk, and the engine goes on.
    fn refuse(&self, batch: Vec<Handed>, why: &store::Error) {
        for handed in &batch {
            self.shared.bodies.unclaimed(handed.change.files());
        }
        answer_all(batch, why);
    }

    /// Makes the file smaller by one step; false: there is nothing to do.
    fn give_back_pages(&self) -> bool {
        if self.shared.fault.reason().is_some() {
            return false;
        }
        match vacuum::step(&self.conn) {
            Ok(more) => {
                self.shared
                    .checkpoints
                    .finish(&self.conn, &self.shared.fault);
                more
            }
            Err(error) => {
                if reach(&error) == Reach::Fault {
                    self.shared.fault.raise(&words(&error));
                }
                false
            }
        }
    }
}

fn answer_all(batch: Vec<Handed>, why: &store::Error) {
    for handed in batch {
        _ = handed.done.send(Err(why.clone()));
    }
}
