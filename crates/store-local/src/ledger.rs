//! What is kept in memory beside the database: how many jobs are where, and whose attempts died
//! with the process before this one. Filled when the store is opened, moved on after each commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::Status;

use crate::change::{Effect, NumberedRoute};

/// The ledger.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

/// What is in it.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) counts: HashMap<(u32, Status), u64>,
    pub(crate) routes: HashMap<RouteName, u32>,
    pub(crate) orphans: BTreeMap<JobId, FencingToken>,
}

impl Ledger {
    pub(crate) fn new(books: Books) -> Self {
        Self {
            books: Mutex::new(books),
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters what a commit did.
    pub(crate) fn enter(&self, effects: &[Effect], new_routes: &[NumberedRoute]) {
        let mut books = self.books();
        for route in new_routes {
            books.routes.insert(route.name.clone(), route.number);
        }
        for effect in effects {
            if let Some(was) = effect.was {
                let count = books.counts.entry(was).or_default();
                *count = count.saturating_sub(1);
                books.orphans.remove(&effect.job);
            }
            if let Some(is) = effect.is {
                *books.counts.entry(is).or_default() += 1;
            }
        }
    }

    /// The number of a route that has ever had a job.
    pub(crate) fn number(&self, name: &RouteName) -> Option<u32> {
        self.books().routes.get(name).copied()
    }

    /// The numbers of all routes that have ever had a job.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.books().routes.values().copied().collect()
    }

    /// How many jobs of a route are in a status.
    pub(crate) fn count(&self, name: &RouteName, status: Status) -> u64 {
        let books = self.books();
        let number = books.routes.get(name);
        let count = number.and_then(|number| books.counts.get(&(*number, status)));
        count.copied().unwrap_or(0)
    }

    /// How many jobs of each route are in each status; those that are none are left out.
    pub(crate) fn counts(&self) -> Vec<(RouteName, Status, u64)> {
        let books = self.books();
        let mut counts = Vec::with_capacity(books.counts.len());
        for (name, number) in &books.routes {
            for status in Status::ALL {
                let count = books.counts.get(&(*number, status)).copied();
                if let Some(count @ 1..) = count {
                    counts.push((name.clone(), status, count));
                }
            }
        }
        counts
    }

    /// Up to `limit` jobs whose attempts died with the process before this one.
    pub(crate) fn orphans(&self, limit: usize) -> Vec<(JobId, FencingToken)> {
        let books = self.books();
        let orphans = books.orphans.iter().take(limit);
        orphans.map(|(job, token)| (*job, *token)).collect()
    }
}
