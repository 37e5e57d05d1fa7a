//! What the parts of an open store share.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use raincheck_store::leases::Leases;
use raincheck_store::{self as store, BodyId};
use raincheck_telemetry::StoreMetrics;

use crate::body::registry::Registry;
use crate::checkpoint::Checkpoints;
use crate::error;
use crate::fault::Fault;
use crate::keyring::Keyring;
use crate::lack::Lack;
use crate::ledger::Ledger;
use crate::recent::Recent;

/// What the parts of an open store share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) fault: Arc<Fault>,
    pub(crate) lack: Lack,
    pub(crate) ledger: Ledger,
    pub(crate) recent: Recent,
    pub(crate) keyring: Keyring,
    /// How many keys it may hold.
    pub(crate) keys_max: usize,
    pub(crate) leases: Leases,
    pub(crate) bodies: Registry,
    /// Where damaged records are kept.
    pub(crate) aside: PathBuf,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) metrics: StoreMetrics,
    pub(crate) closed: AtomicBool,
}

impl Shared {
    /// An error, once the store is closed.
    pub(crate) fn check_open(&self) -> Result<(), store::Error> {
        if self.closed.load(Ordering::Acquire) {
            return Err(error::closed());
        }
        Ok(())
    }

    /// A write to a body's file failed: the body is lost, the store is not.
    pub(crate) fn body_failed(&self, id: BodyId, error: &io::Error) -> store::Error {
        error::of_file(&format!("body {id}"), error)
    }

    /// A sync of a body's file failed. Unless it was for want of room, the disk cannot be trusted.
    pub(crate) fn sync_failed(&self, id: BodyId, error: &io::Error) -> store::Error {
        let failed = self.body_failed(id, error);
        if let store::Error::Unavailable(reason) = &failed {
            self.fault.raise(reason);
        }
        failed
    }
}
