//! Which body files this process has made and no commit refers to yet, and which are to be deleted.
//!
//! A body is *pending* from its creation until a commit refers to it. A change that was handed in
//! *claims* its bodies, so that dropping their owner meanwhile deletes nothing. What a commit
//! frees, or an owner abandons, is *doomed*: nobody can open it any more, and the sweeper deletes
//! it.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_store::{self as store, BodyId};

use super::{dir_name, frame, path_of};
use crate::{error, files};

/// Bits of an id that count; the others are drawn by chance once per process.
const COUNTER_BITS: u32 = 48;

/// The registry.
#[derive(Debug)]
pub(crate) struct Registry {
    root: PathBuf,
    /// The upper bits of every id of this process.
    prefix: u128,
    counter: AtomicU64,
    /// Directories that are known to be durable.
    dirs: Mutex<HashSet<String>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    pending: HashMap<BodyId, Pending>,
    doomed: HashSet<BodyId>,
    closed: bool,
}

/// A body that no commit refers to yet.
#[derive(Debug, Default)]
struct Pending {
    /// Changes that were handed in and refer to it.
    claims: u32,
    /// Whether its owner is gone.
    abandoned: bool,
    /// Whether its owner gave it away, so that it goes with the change that refers to it.
    given: bool,
}

/// What the sweeper is to do.
#[derive(Debug)]
pub(crate) enum Chore {
    /// Delete these.
    Delete(Vec<BodyId>),
    /// Nothing to do for a while.
    Nothing,
    /// End.
    Closed,
}

impl Registry {
    /// The registry of a process that has just opened the bodies below `root`.
    pub(crate) fn new(root: PathBuf) -> io::Result<Self> {
        let mut chance = [0; 16];
        getrandom::fill(&mut chance).map_err(io::Error::other)?;
        let prefix = u128::from_be_bytes(chance) >> COUNTER_BITS << COUNTER_BITS;
        Ok(Self {
            root,
            prefix,
            counter: AtomicU64::new(0),
            dirs: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this process made the body.
    pub(crate) fn is_ours(&self, id: BodyId) -> bool {
        id.0 >> COUNTER_BITS << COUNTER_BITS == self.prefix
    }

    /// A new file, its header written. Blocks.
    pub(crate) fn create(&self) -> Result<(BodyId, File), store::Error> {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let id = BodyId(self.prefix | u128::from(count & ((1 << COUNTER_BITS) - 1)));
        self.state().pending.insert(id, Pending::default());
        match self.create_file(id) {
            Ok(file) => Ok((id, file)),
            Err(error) => {
                self.abandoned(id);
                Err(error::of_file("a new body", &error))
            }
        }
    }

    fn create_file(&self, id: BodyId) -> io::Result<File> {
        self.ensure_dir(id)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path_of(&self.root, id))?;
        frame::write_header(&file, id)?;
        Ok(file)
    }

    /// Makes the body's directory, durable before anybody writes into it.
    fn ensure_dir(&self, id: BodyId) -> io::Result<()> {
        let name = dir_name(id);
        let mut dirs = self.dirs.lock().unwrap_or_else(PoisonError::into_inner);
        if !dirs.contains(&name) {
            let dir = self.root.join(&name);
            files::create_dir(&dir)?;
            // It may have been made by a process that died before it was durable.
            files::sync_dir(&self.root)?;
            dirs.insert(name);
        }
        Ok(())
    }

    /// Makes the name of the body's file durable.
    pub(crate) fn sync_dir_of(&self, id: BodyId) -> io::Result<()> {
        files::sync_dir(&self.root.join(dir_name(id)))
    }

    /// A change that refers to these bodies is handed in.
    pub(crate) fn claimed(&self, ids: impl Iterator<Item = BodyId>) {
        self.each(ids, |state, id| {
            if let Some(pending) = state.pending.get_mut(&id) {
                pending.claims += 1;
            }
        });
    }

    /// The change was refused, and nothing of it is on disk.
    pub(crate) fn unclaimed(&self, ids: impl Iterator<Item = BodyId>) {
        self.each(ids, |state, id| {
            if let Some(pending) = state.pending.get_mut(&id) {
                pending.claims = pending.claims.saturating_sub(1);
                if pending.claims == 0 && (pending.abandoned || pending.given) {
                    state.doom(id);
                }
            }
        });
    }

    /// The change is durable.
    pub(crate) fn referred(&self, ids: impl Iterator<Item = BodyId>) {
        self.each(ids, |state, id| {
            state.pending.remove(&id);
        });
    }

    /// The body's owner gave it away: it waits for one change that refers to it, and goes with that
    /// one if it is refused.
    pub(crate) fn given(&self, id: BodyId) {
        if let Some(pending) = self.state().pending.get_mut(&id) {
            pending.given = true;
        }
    }

    /// The body's owner is gone.
    pub(crate) fn abandoned(&self, id: BodyId) {
        self.each(std::iter::once(id), |state, id| {
            if let Some(pending) = state.pending.get_mut(&id) {
                pending.abandoned = true;
                if pending.claims == 0 {
                    state.doom(id);
                }
            }
        });
    }

    /// Nothing refers to these bodies any more.
    pub(crate) fn doom(&self, ids: impl Iterator<Item = BodyId>) {
        self.each(ids, State::doom);
    }

    fn each(&self, ids: impl Iterator<Item = BodyId>, mut act: impl FnMut(&mut State, BodyId)) {
        // Most changes have no files, and this is on the path of every commit.
        let mut ids = ids.peekable();
        if ids.peek().is_none() {
            return;
        }
        let mut state = self.state();
        let before = state.doomed.len();
        ids.for_each(|id| act(&mut state, id));
        if state.doomed.len() > before {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Whether the body must not be opened any more.
    pub(crate) fn is_doomed(&self, id: BodyId) -> bool {
        self.state().doomed.contains(&id)
    }

    /// Takes nothing more in. Bodies that no commit came to refer to are deleted.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let unclaimed = |pending: &Pending| pending.claims == 0;
        let left: Vec<BodyId> = state
            .pending
            .iter()
            .filter(|(_, pending)| unclaimed(pending))
            .map(|(id, _)| *id)
            .collect();
        for id in left {
            state.doom(id);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// What there is to delete; waits for it, but no longer than `limit`.
    pub(crate) fn next_chore(&self, limit: Duration) -> Chore {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, limit, |state| {
            state.doomed.is_empty() && !state.closed
        });
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if !state.doomed.is_empty() {
            Chore::Delete(state.doomed.iter().copied().collect())
        } else if state.closed {
            Chore::Closed
        } else {
            Chore::Nothing
        }
    }

    /// Whether the store is being closed; waits for it, but no longer than `limit`.
    pub(crate) fn closes_within(&self, limit: Duration) -> bool {
        let state = self.state();
        let waited = self
            .changed
            .wait_timeout_while(state, limit, |state| !state.closed);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.closed
    }

    /// Deletes the files of doomed bodies. Blocks.
    pub(crate) fn delete(&self, ids: &[BodyId]) {
        for id in ids {
            let path = path_of(&self.root, *id);
            if let Err(error) = files::remove(&path) {
                tracing::warn!(path = %path.display(), %error, "a body could not be deleted");
            }
            self.state().doomed.remove(id);
        }
    }
}

impl State {
    fn doom(&mut self, id: BodyId) {
        self.pending.remove(&id);
        self.doomed.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> (tempfile::TempDir, Registry) {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::new(dir.path().to_owned()).unwrap();
        (dir, registry)
    }

    fn one(id: BodyId) -> std::iter::Once<BodyId> {
        std::iter::once(id)
    }

    #[test]
    fn an_owner_that_goes_takes_its_body_along() {
        let (_dir, bodies) = registry();
        let (id, _file) = bodies.create().unwrap();
        assert!(bodies.is_ours(id) && !bodies.is_doomed(id));
        bodies.abandoned(id);
        assert!(bodies.is_doomed(id));
        let path = path_of(bodies.root(), id);
        assert!(path.exists());
        bodies.delete(&[id]);
        assert!(!path.exists() && !bodies.is_doomed(id));
    }

    #[test]
    fn a_body_in_a_change_under_way_outlives_its_owner() {
        let (_dir, bodies) = registry();
        let (id, _file) = bodies.create().unwrap();
        bodies.claimed(one(id));
        bodies.abandoned(id);
        assert!(!bodies.is_doomed(id));
        bodies.referred(one(id));
        bodies.close();
        assert!(!bodies.is_doomed(id));
    }

    #[test]
    fn a_body_in_a_refused_change_goes_with_its_owner() {
        let (_dir, bodies) = registry();
        let (id, _file) = bodies.create().unwrap();
        bodies.claimed(one(id));
        bodies.claimed(one(id));
        bodies.abandoned(id);
        bodies.unclaimed(one(id));
        assert!(!bodies.is_doomed(id), "another change has it");
        bodies.unclaimed(one(id));
        assert!(bodies.is_doomed(id));
    }

    #[test]
    fn a_body_that_was_given_away_goes_with_the_change_that_is_refused() {
        let (_dir, bodies) = registry();
        let (id, _file) = bodies.create().unwrap();
        bodies.given(id);
        assert!(!bodies.is_doomed(id), "its change is still to come");
        bodies.claimed(one(id));
        bodies.unclaimed(one(id));
        assert!(bodies.is_doomed(id));
    }

    #[test]
    fn what_no_commit_came_for_is_doomed_at_the_end() {
        let (_dir, bodies) = registry();
        let (left, _file) = bodies.create().unwrap();
        let (unsure, _file) = bodies.create().unwrap();
        bodies.claimed(one(unsure));
        bodies.close();
        assert!(bodies.is_doomed(left));
        assert!(
            !bodies.is_doomed(unsure),
            "its commit may have survived a fault"
        );
        assert_ne!(left, unsure);
    }
}
