//! Keys: which job did this request become, when it came for the first time?
//!
//! A key is written in the same commit as its job ([`crate::Put::key`]), so that of requests that
//! claim it at once exactly one becomes a job, and it is forgotten in the commit that forgets the
//! job. A job without a key costs nothing here.

use raincheck_core::id::JobId;
use raincheck_core::key::{Fingerprint, KeyDigest};

use crate::Pending;

/// What is stored under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyEntry {
    /// The job.
    pub job: JobId,
    /// What was asked.
    pub fingerprint: Fingerprint,
}

/// A key that a new job takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewKey {
    /// The key.
    pub digest: KeyDigest,
    /// What is asked.
    pub fingerprint: Fingerprint,
    /// The job it may be taken from; a key that leads to any other job is not given up.
    pub replaces: Option<JobId>,
}

/// Looking keys up. Every change that was acknowledged before a read began is seen by it.
pub trait Idempotency: Send + Sync + 'static {
    /// Where a key leads.
    fn key(&self, digest: KeyDigest) -> Pending<'_, Option<KeyEntry>>;

    /// The same as far as it is in memory; none says nothing.
    fn key_in_memory(&self, digest: KeyDigest) -> Option<KeyEntry>;
}
