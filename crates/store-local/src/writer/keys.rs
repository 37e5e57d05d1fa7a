//! Keys inside a transaction: taken by a new job, given up, forgotten with it.

use std::collections::HashMap;
use std::sync::Arc;

use raincheck_core::id::JobId;
use raincheck_core::key::KeyDigest;
use raincheck_store as store;
use rusqlite::Connection;

use crate::change::PreparedKey;
use crate::keys;
use crate::shared::Shared;

const GIVE_UP: &str = "UPDATE jobs SET key = NULL WHERE id = ?1";

/// Which jobs have which keys, as the writer sees it: what is durable, and what this transaction has
/// added.
#[derive(Debug)]
pub(super) struct Claims {
    shared: Arc<Shared>,
    new: HashMap<KeyDigest, JobId>,
}

impl Claims {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            new: HashMap::new(),
        }
    }

    /// The transaction is over: what it added is in the ring, or was never there.
    pub(super) fn over(&mut self) {
        self.new.clear();
    }

    /// Whether a key can be taken, and from which job, or whose it is. An outer error spoils the
    /// transaction. A key that nobody has costs no statement.
    pub(super) fn look(
        &self,
        conn: &Connection,
        key: &PreparedKey,
    ) -> rusqlite::Result<Result<Option<JobId>, store::Error>> {
        let digest = key.new.digest;
        let mut gives_up = None;
        let holders = self.shared.keyring.jobs(digest);
        let holders = holders.into_iter().chain(self.new.get(&digest).copied());
        for holder in holders {
            match keys::of_job(conn, holder, digest)? {
                Ok(None) => {}
                Ok(Some(entry)) if key.new.replaces == Some(entry.job) => {
                    gives_up = Some(entry.job);
                }
                Ok(Some(entry)) => return Ok(Err(store::Error::Taken(entry))),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(gives_up))
    }

    /// Takes a key that was looked at for a job that was written.
    pub(super) fn take(
        &mut self,
        conn: &Connection,
        job: JobId,
        key: &PreparedKey,
        gives_up: Option<JobId>,
    ) -> rusqlite::Result<()> {
        if let Some(holder) = gives_up {
            conn.prepare_cached(GIVE_UP)?
                .execute((holder.as_bytes(),))?;
        }
        self.new.insert(key.new.digest, job);
        Ok(())
    }
}
