//! The in-memory engine. It says what the traits mean: where an engine and this model differ, the
//! engine is wrong or the suite has a new case.
//!
//! What is "on disk" here is one value, `Disk`, that [`ModelStore::crash`] carries over;
//! everything else dies with the store, as it would with a process. Tests of the crates above use
//! the switches in `control` to stall commits and to make them fail.

mod bodies;
mod control;
mod deliveries;
mod disk;
mod jobs;
mod queue;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use raincheck_core::id::{JobId, Revision};
use tokio::sync::{oneshot, watch};

pub use control::HeldCommits;

use crate::leases::Leases;
use crate::{Body, Change, Commit, Error, Pending, Store};
use disk::Disk;

/// The in-memory engine. Clones are handles to the same store.
#[derive(Clone, Default)]
pub struct ModelStore {
    shared: Arc<Shared>,
}

/// What all handles of one store share.
struct Shared {
    state: Mutex<State>,
    leases: Leases,
    /// How many changes were handed in and are held back.
    held: watch::Sender<usize>,
    fault: watch::Sender<Option<String>>,
}

/// What one process knows.
#[derive(Default)]
struct State {
    disk: Disk,
    /// Jobs that were processing when the store was opened, as they were then.
    orphans: BTreeMap<JobId, Revision>,
    /// Bodies that dropping their owner does not delete.
    claims: Claims,
    pending: VecDeque<Handed>,
    holds: usize,
    commit_failure: Option<Error>,
    body_failure: Option<Error>,
    /// A job that is forgotten when its response is next asked for.
    forgets: Option<JobId>,
    commits: u64,
    closed: bool,
}

/// Which bodies belong to a job, or may come to.
#[derive(Default)]
struct Claims {
    /// Changes that were handed in and refer to it.
    waiting: BTreeMap<crate::BodyId, u32>,
    /// A change that refers to it stands, or may.
    kept: BTreeSet<crate::BodyId>,
    /// It has no owner, or none any more.
    abandoned: BTreeSet<crate::BodyId>,
}

impl Claims {
    fn claim(&mut self, ids: &[crate::BodyId]) {
        for id in ids {
            *self.waiting.entry(*id).or_default() += 1;
        }
    }

    /// The end of a change; the bodies that are nobody's now.
    fn settle(&mut self, ids: Vec<crate::BodyId>, kept: bool) -> Vec<crate::BodyId> {
        if kept {
            self.kept.extend(ids.iter().copied());
        }
        for id in &ids {
            if let Some(waiting) = self.waiting.get_mut(id) {
                *waiting -= 1;
            }
        }
        let lost = |id: &crate::BodyId| self.is_free(*id) && self.abandoned.contains(id);
        ids.into_iter().filter(lost).collect()
    }

    fn is_free(&self, id: crate::BodyId) -> bool {
        !self.kept.contains(&id) && self.waiting.get(&id).is_none_or(|waiting| *waiting == 0)
    }
}

/// A change that was handed in, and who waits for its end.
struct Handed {
    change: Change,
    done: oneshot::Sender<Result<(), Error>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self::opened(Disk::default())
    }
}

impl Shared {
    fn opened(disk: Disk) -> Self {
        let state = State {
            orphans: disk.processing(),
            disk,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            leases: Leases::default(),
            held: watch::Sender::new(0),
            fault: watch::Sender::new(None),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a store that still takes calls.
    fn open_state(&self) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.state();
        if state.closed {
            return Err(Error::Unavailable("it is closed".to_owned()));
        }
        Ok(state)
    }

    /// Takes a change; it is carried out whether or not anybody waits for it.
    fn hand_in(&self, change: Change) -> Result<oneshot::Receiver<Result<(), Error>>, Error> {
        let (done, answer) = oneshot::channel();
        let mut state = self.open_state()?;
        state.claims.claim(&bodies_of(&change));
        state.pending.push_back(Handed { change, done });
        self.work(&mut state);
        Ok(answer)
    }

    /// Carries out what was handed in, unless it is held back.
    fn work(&self, state: &mut State) {
        while state.holds == 0 {
            let Some(Handed { change, done }) = state.pending.pop_front() else {
                break;
            };
            let bodies = bodies_of(&change);
            let result = self.carry_out(state, change);
            // After a failed sync the change may have survived, and its bodies with it.
            let kept = matches!(result, Ok(()) | Err(Error::Unavailable(_)));
            for body in state.claims.settle(bodies, kept) {
                state.disk.files.remove(&body);
            }
            // Nobody listens where the caller has given up; the change stands all the same.
            _ = done.send(result);
        }
        self.held.send_replace(state.pending.len());
    }

    fn carry_out(&self, state: &mut State, change: Change) -> Result<(), Error> {
        if let Some(reason) = &*self.fault.borrow() {
            return Err(Error::Unavailable(reason.clone()));
        }
        if let Some(error) = &state.commit_failure {
            return Err(error.clone());
        }
        let job = match &change {
            Change::Put(put) => put.job.id(),
            Change::Delete { job, .. } => *job,
        };
        state.disk.apply(change)?;
        // Whatever becomes of it: a job that is forgotten and made again is no orphan either.
        state.orphans.remove(&job);
        state.commits += 1;
        Ok(())
    }
}

fn bodies_of(change: &Change) -> Vec<crate::BodyId> {
    let Change::Put(put) = change else {
        return Vec::new();
    };
    let request = put.request.iter().map(|request| &request.body);
    let response = put.response.iter().map(|response| &response.body);
    request.chain(response).filter_map(file_id).collect()
}

fn file_id(body: &Body) -> Option<crate::BodyId> {
    match body {
        Body::Inline(_) => None,
        Body::File { id, .. } => Some(*id),
    }
}

impl Commit for ModelStore {
    fn commit(&self, change: Change) -> Pending<'_, ()> {
        Box::pin(async move {
            let answer = self.shared.hand_in(change)?;
            let gone = || Error::Unavailable("the process died".to_owned());
            answer.await.map_err(|_| gone())?
        })
    }
}

impl Store for ModelStore {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            let mut held = self.shared.held.subscribe();
            // The sender lives in `self`, so this can only end well.
            _ = held.wait_for(|held| *held == 0).await;
            self.shared.state().closed = true;
            Ok(())
        })
    }

    fn fault(&self) -> Option<String> {
        self.shared.fault.borrow().clone()
    }

    fn faulted(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        let mut fault = self.shared.fault.subscribe();
        Box::pin(async move {
            let reason = fault.wait_for(Option::is_some).await.ok();
            reason.and_then(|reason| reason.clone()).unwrap_or_default()
        })
    }
}
