//! Which jobs have which keys: in memory, because digests are random, and an index of them on disk
//! would have every new key write a page of its own.
//!
//! What counts is on disk: each job's row has its key, in the commit that made the job, and the ring
//! is filled from an index of those rows, in the order of the jobs, when the store is opened. It
//! holds the beginning of each digest only, so what it leads to is looked at before it is believed.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::JobId;
use raincheck_core::key::KeyDigest;

/// As much of a digest as is held: among ten million keys two that begin with the same eight bytes
/// are one chance in 400,000.
type Beginning = [u8; 8];

/// The keys of all stored jobs.
#[derive(Debug, Default)]
pub(crate) struct Keyring {
    kept: Mutex<Kept>,
}

/// What is held, some 40 bytes for each key.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    jobs: HashMap<Beginning, JobId>,
    /// Further jobs whose keys begin alike.
    further: HashMap<Beginning, Vec<JobId>>,
}

impl Keyring {
    /// A ring that holds this.
    pub(crate) fn new(kept: Kept) -> Self {
        Self {
            kept: Mutex::new(kept),
        }
    }

    /// What is held, to be looked at or changed.
    pub(crate) fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs that may have this key.
    pub(crate) fn jobs(&self, digest: KeyDigest) -> Vec<JobId> {
        self.kept().jobs(digest)
    }

    /// How many keys are held.
    pub(crate) fn len(&self) -> usize {
        self.kept().jobs.len()
    }
}

impl Kept {
    fn jobs(&self, digest: KeyDigest) -> Vec<JobId> {
        let beginning = beginning(digest);
        let first = self.jobs.get(&beginning).copied();
        let further = self.further.get(&beginning).into_iter().flatten().copied();
        first.into_iter().chain(further).collect()
    }

    /// A job has a key.
    pub(crate) fn enter(&mut self, digest: KeyDigest, job: JobId) {
        let beginning = beginning(digest);
        match self.jobs.entry(beginning) {
            Entry::Vacant(place) => {
                place.insert(job);
            }
            Entry::Occupied(place) if *place.get() == job => {}
            Entry::Occupied(_) => {
                let further = self.further.entry(beginning).or_default();
                if !further.contains(&job) {
                    further.push(job);
                }
            }
        }
    }

    /// A job has this key no more.
    pub(crate) fn leave(&mut self, digest: KeyDigest, job: JobId) {
        let beginning = beginning(digest);
        let mut next = None;
        if let Some(further) = self.further.get_mut(&beginning) {
            further.retain(|other| *other != job);
            if self.jobs.get(&beginning) == Some(&job) {
                next = further.pop();
            }
            if further.is_empty() {
                self.further.remove(&beginning);
            }
        }
        if self.jobs.get(&beginning) == Some(&job) {
            match next {
                Some(next) => self.jobs.insert(beginning, next),
                None => self.jobs.remove(&beginning),
            };
        }
    }
}

fn beginning(digest: KeyDigest) -> Beginning {
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use raincheck_core::time::Timestamp;

    use super::*;

    fn job(number: u64) -> JobId {
        JobId::from_parts(Timestamp::from_millis(number), [1; 10])
    }

    /// Digests that begin alike, unless their numbers differ by a hundred.
    fn digest(number: u8) -> KeyDigest {
        let mut bytes = [number / 100; 16];
        bytes[15] = number;
        KeyDigest(bytes)
    }

    #[test]
    fn keys_that_begin_alike_are_all_held_until_their_jobs_leave() {
        let ring = Keyring::default();
        for number in 0..5 {
            ring.kept().enter(digest(number), job(number.into()));
            ring.kept().enter(digest(number), job(number.into()));
        }
        ring.kept().enter(digest(100), job(100));
        assert_eq!(ring.jobs(digest(2)).len(), 5);
        assert_eq!(ring.jobs(digest(100)), [job(100)]);
        assert_eq!(ring.jobs(digest(200)), []);
        // The first, one between, and one that is not there.
        for number in [0, 3, 3, 7] {
            ring.kept().leave(digest(number), job(number.into()));
        }
        let mut left = ring.jobs(digest(1));
        left.sort();
        assert_eq!(left, [job(1), job(2), job(4)]);
        for number in [4, 1, 2] {
            ring.kept().leave(digest(number), job(number.into()));
        }
        assert_eq!(ring.jobs(digest(1)), []);
        assert_eq!(ring.len(), 1);
        assert!(ring.kept().further.is_empty());
    }
}
