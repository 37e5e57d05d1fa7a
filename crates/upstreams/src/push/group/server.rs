//! One server of a group: its requests in flight, and what came of earlier ones.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_core::policy::condition::{Change, Condition, Report, SHARE};
use raincheck_core::route::Group;
use raincheck_core::route::upstream::{Ejection, HealthCheck};

use super::super::host::Host;

/// A server.
pub(in crate::push) struct Server {
    pub(super) host: Arc<Host>,
    outstanding: AtomicUsize,
    /// Whether its condition need not be looked at: the common case costs no lock.
    settled: AtomicBool,
    condition: Mutex<Condition>,
    ejections: AtomicU64,
    /// What its last check said, where it failed.
    complaint: Mutex<Option<String>>,
}

/// A request in flight at a server; counted until dropped.
pub(in crate::push) struct Place(Arc<Server>);

impl Place {
    pub(in crate::push) fn taken(server: &Arc<Server>) -> Self {
        server.outstanding.fetch_add(1, Relaxed);
        Self(Arc::clone(server))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Relaxed);
    }
}

impl Server {
    pub(super) fn new(host: Arc<Host>) -> Self {
        Self {
            host,
            outstanding: AtomicUsize::new(0),
            settled: AtomicBool::new(true),
            condition: Mutex::default(),
            ejections: AtomicU64::new(0),
            complaint: Mutex::default(),
        }
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding.load(Relaxed)
    }

    pub(super) fn ejections(&self) -> u64 {
        self.ejections.load(Relaxed)
    }

    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = self.complaint.lock();
        complaint.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn condition(&self) -> Condition {
        *self.lock()
    }

    pub(super) fn is_settled(&self) -> bool {
        self.settled.load(Relaxed)
    }

    pub(super) fn share(&self, weight: u32, slow_start: Duration, now: Duration) -> u32 {
        if self.is_settled() {
            return weight.saturating_mul(SHARE);
        }
        let condition = self.lock();
        if condition.is_settled(slow_start, now) {
            self.settled.store(true, Relaxed);
        }
        condition.share(weight, slow_start, now)
    }

    pub(super) fn is_usable(&self, now: Duration) -> bool {
        self.is_settled() || self.lock().is_usable(now)
    }

    pub(super) fn ejected_for(&self, now: Duration) -> Option<Duration> {
        self.lock().ejected_for(now)
    }

    /// Nobody checks it any more.
    pub(super) fn unwatch(&self) {
        self.lock().unwatch();
        self.complain(None);
    }

    /// A request ended.
    pub(super) fn reported(
        &self,
        report: Report,
        policy: &Ejection,
        others: bool,
        now: Duration,
        group: &Group,
    ) {
        let mut condition = self.lock();
        let change = condition.reported(report, policy, others, now);
        self.settled.store(false, Relaxed);
        drop(condition);
        if let Some(Change::Ejected(time)) = change {
            self.ejections.fetch_add(1, Relaxed);
            let (upstream, server) = (&group.name, self.host.upstream.url());
            tracing::warn!(upstream, server, ?report, ?time, "a server is ejected");
        }
    }

    /// A check ended, well or with this complaint.
    pub(super) fn checked(
        &self,
        complaint: Option<String>,
        policy: &HealthCheck,
        now: Duration,
        group: &Group,
    ) {
        let mut condition = self.lock();
        let change = condition.checked(complaint.is_none(), policy, now);
        if change.is_some() {
            self.settled.store(false, Relaxed);
        }
        drop(condition);
        let (upstream, server) = (&group.name, self.host.upstream.url());
        match change {
            Some(Change::Unhealthy) => {
                let why = complaint.as_deref().unwrap_or_default();
                tracing::warn!(upstream, server, why, "a server fails its health checks");
            }
            Some(Change::Healthy) => {
                tracing::info!(upstream, server, "a server passes its health checks again");
            }
            Some(Change::Ejected(_)) | None => {}
        }
        self.complain(complaint);
    }

    fn complain(&self, complaint: Option<String>) {
        *self
            .complaint
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = complaint;
    }

    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.condition
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
