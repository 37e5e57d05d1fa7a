//! The promise of `raincheck_store` on one disk: jobs in an embedded database with one writer and
//! group commit, large bodies in files of checksummed frames beside it.
//!
//! Read `open` for what a data directory is, `writer` for when a change is durable, `body` for how
//! bytes are kept, and `schema/` for the tables. Which engine is below is nobody's business above.

mod aside;
mod backup;
mod body;
mod change;
mod checkpoint;
mod claim;
mod connection;
mod deliveries;
mod error;
mod fault;
mod files;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod inbox;
mod jobs;
mod keyring;
mod keys;
mod lack;
mod ledger;
mod lock;
mod log;
mod migrate;
mod open;
mod queue;
mod reader;
mod recent;
mod reserve;
mod room;
mod row;
mod schema;
mod scrub;
mod shared;
mod threads;
mod verify;
mod writer;

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::{Job, Remains, Status};
use raincheck_core::key::KeyDigest;
use raincheck_core::time::Timestamp;
use raincheck_store::{
    self as store, Bodies, Body, BodyReader, BodyWriter, Change, Commit, Deliveries, Filter,
    Idempotency, Jobs, KeyEntry, Lease, Overdue, Page, Pending, Queue, Store, StoredRequest,
    StoredResponse, ToTell,
};
use raincheck_telemetry::StoreMetrics;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

pub use backup::{BackupError, BackupReport, backup};
pub use error::OpenError;
pub use verify::{Finding, Report, verify};

use change::Prepared;
use claim::Claim;
use inbox::{Handed, Inbox};
use reader::Readers;
use recent::Known;
use shared::Shared;
use threads::Threads;
use writer::Pen;

/// How a data directory is opened.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Bytes that the database file may have at most; large bodies, which have files of their own,
    /// not counted. None: as much as the disk has.
    pub database_bytes_max: Option<u64>,
    /// How many idempotency keys are known at most. None: [`KEYS`](raincheck_core::limits::KEYS).
    pub keys_max: Option<usize>,
    /// Where commits are counted.
    pub metrics: StoreMetrics,
}

/// A store in a data directory of its own.
pub struct LocalStore {
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    pen: Arc<Pen>,
    readers: Readers,
    threads: Mutex<Option<Threads>>,
}

impl LocalStore {
    /// Opens the data directory at `path`, creating it if it is missing. Blocks. Calls on the store
    /// must be made within a tokio runtime.
    ///
    /// # Errors
    /// See [`OpenError`]: each says what can be done about it.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let opened = open::open(path.as_ref(), &options)?;
        Ok(Self {
            shared: opened.shared,
            inbox: opened.inbox,
            pen: opened.pen,
            readers: opened.readers,
            threads: Mutex::new(Some(opened.threads)),
        })
    }

    /// Whether a change may be handed in now; waits for its turn.
    async fn admit(&self, change: &Prepared) -> Result<(), store::Error> {
        self.shared.check_open()?;
        self.shared.fault.check()?;
        let max = self.shared.keys_max;
        if change.takes_a_key() && self.shared.keyring.len() >= max {
            let text = format!("{max} idempotency keys are known, and that is the limit");
            return Err(store::Error::Full(text));
        }
        self.inbox.room().await
    }

    async fn hand_in(&self, change: Prepared, claim: Claim<'_>) -> Result<(), store::Error> {
        self.admit(&change).await?;
        let (done, answer) = oneshot::channel();
        let handed = Handed { change, done };
        if may_block()
            && let Some(turn) = self.inbox.turn()
        {
            claim.handed_in();
            tokio::task::block_in_place(|| self.pen.write(turn, handed));
        } else {
            self.inbox.push(handed)?;
            claim.handed_in();
        }
        let gone = |_| store::Error::Unavailable("the writer is gone".to_owned());
        answer.await.map_err(gone)?
    }
}

/// Whether this thread may wait for the disk: another takes over the runtime's other work then.
fn may_block() -> bool {
    let here = Handle::try_current();
    here.is_ok_and(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}

impl Commit for LocalStore {
    fn commit(&self, change: Change) -> Pending<'_, ()> {
        let change = Prepared::new(change);
        let claim = Claim::new(&self.shared, &change);
        Box::pin(self.hand_in(change, claim))
    }
}

impl Jobs for LocalStore {
    fn job(&self, id: JobId) -> Pending<'_, Option<Job>> {
        Box::pin(async move {
            self.shared.check_open()?;
            match self.shared.recent.job(id) {
                Some(job) => Ok(Some(job)),
                None => self.readers.read(move |conn| jobs::job(conn, id)).await,
            }
        })
    }

    fn remains(&self, id: JobId) -> Pending<'_, Option<Remains>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let shared = Arc::clone(&self.shared);
            let read = move |conn: &_| aside::remains(conn, &shared.aside, id);
            self.readers.read(read).await
        })
    }

    fn request(&self, id: JobId) -> Pending<'_, Option<Arc<StoredRequest>>> {
        Box::pin(async move {
            self.shared.check_open()?;
            match self.shared.recent.request(id) {
                Some(request) => Ok(Some(request)),
                None => self.readers.read(move |conn| jobs::request(conn, id)).await,
            }
        })
    }

    fn response(&self, id: JobId) -> Pending<'_, Option<Arc<StoredResponse>>> {
        Box::pin(async move {
            self.shared.check_open()?;
            match self.shared.recent.response(id) {
                Known::Is(response) => Ok(response),
                Known::Unknown => {
                    self.readers
                        .read(move |conn| jobs::response(conn, id))
                        .await
                }
            }
        })
    }

    fn list(&self, filter: Filter) -> Pending<'_, Page> {
        Box::pin(async move {
            self.shared.check_open()?;
            let routes = match &filter.route {
                Some(name) => self.shared.ledger.number(name).into_iter().collect(),
                None => self.shared.ledger.numbers(),
            };
            let read = move |conn: &_| jobs::list(conn, &filter, &routes);
            self.readers.read(read).await
        })
    }

    fn counts(&self) -> Vec<(RouteName, Status, u64)> {
        self.shared.ledger.counts()
    }
}

impl Idempotency for LocalStore {
    fn key(&self, digest: KeyDigest) -> Pending<'_, Option<KeyEntry>> {
        Box::pin(async move {
            self.shared.check_open()?;
            if let Some(entry) = self.shared.recent.key(digest) {
                return Ok(Some(entry));
            }
            let jobs = self.shared.keyring.jobs(digest);
            if jobs.is_empty() {
                return Ok(None);
            }
            let read = move |conn: &_| keys::key(conn, &jobs, digest);
            self.readers.read(read).await
        })
    }

    fn key_in_memory(&self, digest: KeyDigest) -> Option<KeyEntry> {
        self.shared.recent.key(digest)
    }
}

impl Queue for LocalStore {
    fn lease(
        &self,
        route: RouteName,
        now: Timestamp,
        limit: usize,
        until: Timestamp,
    ) -> Pending<'_, Vec<Lease>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let number = self.shared.ledger.number(&route);
            let Some(number) = number.filter(|_| self.waiting(&route) > 0) else {
                return Ok(Vec::new());
            };
            let shared = Arc::clone(&self.shared);
            let read =
                move |conn: &_| queue::lease(conn, &shared.leases, number, now, limit, until);
            self.readers.read(read).await
        })
    }

    fn lease_one(&self, job: JobId, _now: Timestamp, until: Timestamp) -> bool {
        self.shared.check_open().is_ok() && self.shared.leases.take(job, until)
    }

    fn renew(&self, job: JobId, until: Timestamp) -> bool {
        self.shared.check_open().is_ok() && self.shared.leases.renew(job, until)
    }

    fn release(&self, job: JobId) {
        self.shared.leases.release(job);
    }

    fn lapsed(&self, now: Timestamp) -> Vec<JobId> {
        self.shared.leases.lapsed(now)
    }

    fn next_due(&self, route: RouteName) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let number = self.shared.ledger.number(&route);
            let Some(number) = number.filter(|_| self.waiting(&route) > 0) else {
                return Ok(None);
            };
            let shared = Arc::clone(&self.shared);
            let read = move |conn: &_| queue::next_due(conn, &shared.leases, number);
            self.readers.read(read).await
        })
    }

    fn waiting(&self, route: &RouteName) -> u64 {
        self.shared.ledger.count(route, Status::Queued)
    }

    fn orphans(&self, limit: usize) -> Pending<'_, Vec<(JobId, FencingToken)>> {
        Box::pin(async move {
            self.shared.check_open()?;
            Ok(self.shared.ledger.orphans(limit))
        })
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Pending<'_, Vec<Overdue>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let read = move |conn: &_| queue::overdue(conn, now, limit);
            self.readers.read(read).await
        })
    }

    fn next_overdue(&self) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.shared.check_open()?;
            self.readers.read(queue::next_overdue).await
        })
    }
}

impl Deliveries for LocalStore {
    fn to_tell(
        &self,
        after: Option<(Timestamp, JobId)>,
        now: Timestamp,
        limit: usize,
    ) -> Pending<'_, Vec<ToTell>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let read = move |conn: &_| deliveries::to_tell(conn, after, now, limit);
            self.readers.read(read).await
        })
    }

    fn next_to_tell(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.shared.check_open()?;
            let read = move |conn: &_| deliveries::next(conn, now);
            self.readers.read(read).await
        })
    }
}

impl Bodies for LocalStore {
    fn create(&self) -> Box<dyn BodyWriter> {
        body::create(&self.shared)
    }

    fn open(&self, body: &Body) -> Pending<'_, Box<dyn BodyReader>> {
        let body = body.clone();
        Box::pin(async move { body::open(&self.shared, &body).await })
    }
}

impl Store for LocalStore {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.readers.close().await;
            let threads = self
                .threads
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            body::blocking(move || {
                drop(threads);
                Ok(())
            })
            .await
        })
    }

    fn fault(&self) -> Option<String> {
        self.shared.fault.reason()
    }

    fn lacks_room(&self) -> Option<String> {
        self.shared.lack.reason()
    }

    fn faulted(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        Box::pin(self.shared.fault.raised())
    }
}

impl Drop for LocalStore {
    fn drop(&mut self) {
        self.readers.forget();
    }
}
