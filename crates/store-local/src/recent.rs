//! The latest changed jobs in memory: a job is most often read right after it was written, by the
//! dispatcher that starts it and by the client that asks for its status.
//!
//! Only the writer puts jobs in, after each commit and in commit order, so what is here is the
//! latest acknowledged state. Reads of the database put nothing in: they could be older.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::key::KeyDigest;
use raincheck_store::{KeyEntry, StoredRequest, StoredResponse};

use crate::change::Prepared;

/// Bytes of stored records whose jobs are kept.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// What a job costs beside its records.
const OVERHEAD: usize = 1024;

/// What is known of a job without a read.
#[derive(Debug, Clone)]
pub(crate) enum Known<T> {
    /// This is its latest state.
    Is(T),
    /// Nothing.
    Unknown,
}

/// The latest changed jobs.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<JobId, Entry>,
    /// The keys of those among them that have one.
    keys: HashMap<KeyDigest, KeyEntry>,
    /// Oldest first; an entry that was written again stands here more than once, and only its
    /// latest place counts.
    order: VecDeque<(JobId, u64)>,
    bytes: usize,
    stamp: u64,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    request: Option<Arc<StoredRequest>>,
    response: Known<Option<Arc<StoredResponse>>>,
    key: Option<KeyDigest>,
    bytes: usize,
    stamp: u64,
}

impl Recent {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters changes that are durable, in their order.
    pub(crate) fn enter(&self, changes: impl Iterator<Item = Prepared>) {
        let mut kept = self.kept();
        for change in changes {
            match change {
                Prepared::Put(put) => kept.put(*put),
                Prepared::Delete { job, .. } => kept.remove(&job),
            }
        }
        kept.shrink();
    }

    /// A job.
    pub(crate) fn job(&self, id: JobId) -> Option<Job> {
        Some(self.kept().entries.get(&id)?.job.clone())
    }

    /// Where a key leads.
    pub(crate) fn key(&self, digest: KeyDigest) -> Option<KeyEntry> {
        self.kept().keys.get(&digest).copied()
    }

    /// A job's request.
    pub(crate) fn request(&self, id: JobId) -> Option<Arc<StoredRequest>> {
        self.kept().entries.get(&id)?.request.clone()
    }

    /// A job's response, or that it has none.
    pub(crate) fn response(&self, id: JobId) -> Known<Option<Arc<StoredResponse>>> {
        let kept = self.kept();
        let entry = kept.entries.get(&id);
        entry.map_or(Known::Unknown, |entry| entry.response.clone())
    }
}

impl Kept {
    fn put(&mut self, put: crate::change::PreparedPut) {
        let id = put.job.id();
        let old = self.entries.remove(&id);
        let attached = put
            .request
            .as_ref()
            .map_or(0, |request| request.record.len())
            + put
                .response
                .as_ref()
                .map_or(0, |response| response.record.len());
        // What is told of the job's end grows with each try, up to a bound.
        let told = put.job.callback().map_or(0, |_| put.record.len());
        let bytes = match &old {
            Some(old) => old.bytes + attached + told,
            None => OVERHEAD + attached + told,
        };
        self.bytes += bytes - old.as_ref().map_or(0, |old| old.bytes);
        let (request, response, key) = match old {
            Some(old) => (old.request, old.response, old.key),
            None if put.from.is_none() => (None, Known::Is(None), None),
            None => (None, Known::Unknown, None),
        };
        if let Some(new) = &put.key {
            self.keys.insert(new.new.digest, new.entry);
        }
        let response = match put.response {
            Some(new) => Known::Is(Some(new.value)),
            None if put.drops_response => Known::Is(None),
            None => response,
        };
        self.stamp += 1;
        self.order.push_back((id, self.stamp));
        let entry = Entry {
            job: put.job,
            request: put.request.map(|new| new.value).or(request),
            response,
            key: put.key.map(|new| new.new.digest).or(key),
            bytes,
            stamp: self.stamp,
        };
        self.entries.insert(id, entry);
    }

    fn remove(&mut self, id: &JobId) {
        if let Some(old) = self.entries.remove(id) {
            self.bytes -= old.bytes;
            // One that was given up leads to another job by now.
            if let Some(key) = old.key
                && self.keys.get(&key).is_some_and(|entry| entry.job == *id)
            {
                self.keys.remove(&key);
            }
        }
    }

    fn shrink(&mut self) {
        while self.bytes > BYTES_MAX {
            let Some((id, stamp)) = self.order.pop_front() else {
                break;
            };
            if self.is_latest(&id, stamp) {
                self.remove(&id);
            }
        }
        if self.order.len() > 4 * self.entries.len() + 64 {
            let mut order = std::mem::take(&mut self.order);
            order.retain(|(id, stamp)| self.is_latest(id, *stamp));
            self.order = order;
        }
    }

    fn is_latest(&self, id: &JobId, stamp: u64) -> bool {
        self.entries
            .get(id)
            .is_some_and(|entry| entry.stamp == stamp)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use raincheck_store::{Change, Put};

    use super::*;
    use crate::row::arbitrary;

    fn put(job: Job, drops_response: bool) -> Prepared {
        Prepared::new(Change::Put(Box::new(Put {
            job,
            from: None,
            fence: None,
            request: None,
            key: None,
            response: None,
            drops_response,
        })))
    }

    #[test]
    fn what_is_kept_has_a_bound_and_the_latest_stay() {
        let recent = Recent::default();
        let mut runner = TestRunner::deterministic();
        let job = arbitrary::job().new_tree(&mut runner).unwrap().current();
        let count = 2 * BYTES_MAX / OVERHEAD;
        let ids: Vec<JobId> = (0..count as u64)
            .map(|at| JobId::from_parts(raincheck_core::time::Timestamp::from_millis(at), [7; 10]))
            .collect();
        for id in &ids {
            let mut fields = job.fields().clone();
            fields.id = *id;
            let job = Job::restore(fields).unwrap();
            recent.enter([put(job.clone(), false), put(job, true)].into_iter());
        }
        let kept = recent.kept();
        assert!(kept.bytes <= BYTES_MAX);
        assert!(kept.order.len() <= 4 * kept.entries.len() + 64);
        assert!(kept.entries.contains_key(ids.last().unwrap()));
        assert!(!kept.entries.contains_key(&ids[0]));
    }

    proptest! {
        #[test]
        fn a_forgotten_job_is_unknown(job in arbitrary::job()) {
            let recent = Recent::default();
            let (id, from) = (job.id(), job.revision());
            recent.enter([put(job.clone(), false)].into_iter());
            prop_assert_eq!(recent.job(id), Some(job));
            recent.enter([Prepared::Delete { job: id, from }].into_iter());
            prop_assert_eq!(recent.job(id), None);
            prop_assert_eq!(recent.kept().bytes, 0);
        }
    }
}
