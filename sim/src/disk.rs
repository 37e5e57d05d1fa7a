//! The simulated disk of one process: the model engine behind a writer that takes time, stalls,
//! fills up, fails to sync, or dies with its machine at a commit.
//!
//! What was committed survives; what was not is gone. A change that was being made durable when
//! the process died is either there or not, and nobody was told. Group commits are whole: of the
//! changes that share one sync all survive or none.

mod reads;
mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_store::Change;
use raincheck_store::model::ModelStore;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::broken::Broken;
use crate::chance::Chance;
use crate::history::History;
use crate::net::Host;

/// At which sync a process dies, and on which side of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// Counted from 1 over the whole run.
    pub sync: u64,
    /// Whether its changes are durable, though nobody hears of it.
    pub after: bool,
}

/// What is wrong with the disk, now or soon.
#[derive(Debug, Default)]
pub struct Faults {
    /// Nothing more fits.
    pub full: bool,
    /// No sync ends before this time.
    pub stalled_until: Option<Instant>,
    /// The next sync fails; whether what it was to make durable is there all the same.
    pub fails_next: Option<bool>,
    /// When the process dies.
    pub crashes: Vec<CrashPoint>,
}

/// What outlives a process: the platters, and what is wrong with them.
pub struct Platters {
    model: Mutex<ModelStore>,
    faults: Mutex<Faults>,
    syncs: Mutex<u64>,
    /// How long a sync takes, in milliseconds.
    sync_millis: (u64, u64),
    broken: Option<Broken>,
    chance: Chance,
    history: History,
}

impl Platters {
    /// An empty disk.
    pub fn new(
        chance: Chance,
        history: History,
        sync_millis: (u64, u64),
        broken: Option<Broken>,
    ) -> Self {
        Self {
            model: Mutex::new(ModelStore::new()),
            faults: Mutex::default(),
            syncs: Mutex::new(0),
            sync_millis,
            broken,
            chance,
            history,
        }
    }

    /// What is wrong with it, to be changed.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine as it stands.
    pub fn model(&self) -> ModelStore {
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.clone()
    }

    /// How many syncs there were.
    pub fn syncs(&self) -> u64 {
        *self.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count_sync(&self) -> u64 {
        let mut syncs = self.syncs.lock().unwrap_or_else(PoisonError::into_inner);
        *syncs += 1;
        *syncs
    }

    /// Sets whether anything more fits.
    pub fn fill(&self, full: bool) {
        self.faults().full = full;
        set_full(&self.model(), full);
    }

    /// The process is gone: what is durable is what the next one finds.
    pub fn reopen(&self) {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        *model = model.crash();
        set_full(&model, self.faults().full);
    }
}

fn set_full(model: &ModelStore, full: bool) {
    let no_room = || raincheck_store::Error::Full("no space left on device".to_owned());
    if full {
        model.fail_bodies(no_room());
        model.fail_commits(no_room());
    } else {
        model.allow_bodies();
        model.allow_commits();
    }
}

/// A change that was handed in, and who waits for its end.
struct Handed {
    change: Change,
    done: oneshot::Sender<Result<(), raincheck_store::Error>>,
}

/// The disk as one process has it.
pub struct Disk {
    model: ModelStore,
    platters: Arc<Platters>,
    host: Host,
    chance: Chance,
    hand_in: mpsc::UnboundedSender<Handed>,
}

impl Disk {
    /// Opens the disk for a process on `host`. `died` is called when the process dies at a sync.
    pub fn open(
        platters: &Arc<Platters>,
        host: &Host,
        died: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (hand_in, changes) = mpsc::unbounded_channel();
        let model = platters.model();
        let writer = writer::Writer {
            model: model.clone(),
            platters: Arc::clone(platters),
            host: host.clone(),
            changes,
            died: Box::new(died),
        };
        tokio::spawn(writer.run());
        Self {
            model,
            platters: Arc::clone(platters),
            host: host.clone(),
            chance: platters.chance.fork(),
            hand_in,
        }
    }

    /// What every call waits for: a machine that goes on; and now and then a slow read.
    async fn turn(&self) {
        self.host.going_on().await;
        if self.chance.percent(10) {
            tokio::time::sleep(self.chance.millis(0..=3)).await;
            self.host.going_on().await;
        }
    }
}

/// How long a sync takes.
fn sync_time(platters: &Platters) -> Duration {
    let (least, most) = platters.sync_millis;
    platters.chance.millis(least..=most)
}
