//! Operations on the engine beside the model, closing and opening included: whatever one answers,
//! the other must.

use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use raincheck_core::limits::{BODY_INLINE_BYTES, BODY_MEMORY_BYTES};
use raincheck_store::Store;
use raincheck_store::conformance::histories::{Op, View, What, history};
use raincheck_store::conformance::{Engine, Memory};
use raincheck_store_local::{LocalStore, Options};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// Jobs and operations of the longest history.
const JOBS: u8 = 6;
/// Keys that jobs may be stored under.
const KEYS: u8 = 3;
const OPS_MAX: usize = 48;

struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir_in(crate::files()).unwrap())
    }
}

impl Engine for Disk {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(LocalStore::open(self.0.path(), Options::default()).unwrap())
    }
}

#[derive(Debug, Arbitrary)]
enum Step {
    Submit {
        job: u8,
        started: bool,
        body: Size,
        key: Option<(u8, bool)>,
    },
    Happen {
        job: u8,
        what: Happening,
        view: u8,
    },
    Lease {
        route: bool,
        ahead: u8,
        limit: u8,
    },
    LeaseOne(u8),
    Renew(u8),
    Release(u8),
    Lapse,
    Reopen,
}

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Happening {
    Start,
    Answer(Size),
    Busy(u8),
    Fail,
    Cancel,
    Retry,
    Rescue,
    HandBack,
    Expire,
    Forget,
}

/// Around the sizes at which a body is kept elsewhere.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Size {
    Small(u8),
    Row(u8),
    Memory(u8),
    File(u16),
}

/// Operations.
pub(crate) fn run(bytes: &[u8]) {
    let Ok(steps) = Vec::<Step>::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let ops: Vec<Op> = steps.iter().take(OPS_MAX).map(op).collect();
    if !ops.is_empty() {
        RUNTIME.block_on(history(Disk::new(), Memory::default(), &ops));
    }
}

fn op(step: &Step) -> Op {
    match step {
        Step::Submit {
            job,
            started,
            body,
            key,
        } => Op::Submit {
            job: job % JOBS,
            started: *started,
            body: size(*body),
            key: key.map(|(number, replaces)| (number % KEYS, replaces)),
        },
        Step::Happen { job, what, view } => Op::Happen {
            job: job % JOBS,
            what: happening(*what),
            view: match view {
                0..=9 => View::Stale,
                10..=19 => View::Fenced,
                _ => View::Fresh,
            },
        },
        Step::Lease {
            route,
            ahead,
            limit,
        } => Op::Lease {
            route: usize::from(*route),
            ahead: u64::from(ahead % 100),
            limit: usize::from(limit % 4),
        },
        Step::LeaseOne(job) => Op::LeaseOne(job % JOBS),
        Step::Renew(job) => Op::Renew(job % JOBS),
        Step::Release(job) => Op::Release(job % JOBS),
        Step::Lapse => Op::Lapse,
        Step::Reopen => Op::Reopen,
    }
}

fn happening(happening: Happening) -> What {
    match happening {
        Happening::Start => What::Start,
        Happening::Answer(body) => What::Answer { body: size(body) },
        Happening::Busy(seconds) => What::Busy {
            seconds: u64::from(seconds % 100),
        },
        Happening::Fail => What::Fail,
        Happening::Cancel => What::Cancel,
        Happening::Retry => What::Retry,
        Happening::Rescue => What::Rescue,
        Happening::HandBack => What::HandBack,
        Happening::Expire => What::Expire,
        Happening::Forget => What::Forget,
    }
}

fn size(size: Size) -> usize {
    match size {
        Size::Small(len) => usize::from(len % 100),
        Size::Row(by) => BODY_INLINE_BYTES - 1 + usize::from(by % 3),
        Size::Memory(by) => BODY_MEMORY_BYTES - 1 + usize::from(by % 3),
        Size::File(by) => BODY_MEMORY_BYTES + usize::from(by),
    }
}
