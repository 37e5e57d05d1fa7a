//! Reading jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::{Job, Status};
use raincheck_core::key::KeyDigest;
use raincheck_core::limits::LIST_PAGE;

use super::ModelStore;
use crate::{Filter, Idempotency, Jobs, KeyEntry, Page, Pending, StoredRequest, StoredResponse};

impl Jobs for ModelStore {
    fn job(&self, id: JobId) -> Pending<'_, Option<Job>> {
        Box::pin(async move { Ok(self.shared.open_state()?.disk.jobs.get(&id).cloned()) })
    }

    fn request(&self, id: JobId) -> Pending<'_, Option<Arc<StoredRequest>>> {
        Box::pin(async move { Ok(self.shared.open_state()?.disk.requests.get(&id).cloned()) })
    }

    fn response(&self, id: JobId) -> Pending<'_, Option<Arc<StoredResponse>>> {
        Box::pin(async move {
            let mut state = self.shared.open_state()?;
            if state.forgets.take_if(|job| *job == id).is_some() {
                state.disk.delete(id);
            }
            Ok(state.disk.responses.get(&id).cloned())
        })
    }

    fn list(&self, filter: Filter) -> Pending<'_, Page> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            Ok(page(state.disk.jobs.values().rev(), &filter))
        })
    }

    fn counts(&self) -> Vec<(RouteName, Status, u64)> {
        let mut counts = BTreeMap::new();
        for job in self.shared.state().disk.jobs.values() {
            *counts
                .entry((job.route().clone(), job.status()))
                .or_default() += 1;
        }
        let flat = |((route, status), count)| (route, status, count);
        counts.into_iter().map(flat).collect()
    }
}

impl Idempotency for ModelStore {
    fn key(&self, digest: KeyDigest) -> Pending<'_, Option<KeyEntry>> {
        Box::pin(async move { Ok(self.shared.open_state()?.disk.keys.get(&digest).copied()) })
    }

    /// Never: whoever counts on it learns to do without.
    fn key_in_memory(&self, _digest: KeyDigest) -> Option<KeyEntry> {
        None
    }
}

/// One page of `newest_first`. There may be another only where a job was left out for want of room.
fn page<'a>(newest_first: impl Iterator<Item = &'a Job>, filter: &Filter) -> Page {
    let limit = filter.limit.min(LIST_PAGE);
    let mut wanted = newest_first
        .filter(|job| filter.before.is_none_or(|before| job.id() < before))
        .filter(|job| filter.status.is_none_or(|status| job.status() == status))
        .filter(|job| filter.route.as_ref().is_none_or(|own| job.route() == own));
    let jobs: Vec<Job> = wanted.by_ref().take(limit).cloned().collect();
    let last = jobs.last().map(Job::id);
    Page {
        next: wanted.next().and(last),
        jobs,
        damaged: Vec::new(),
    }
}
