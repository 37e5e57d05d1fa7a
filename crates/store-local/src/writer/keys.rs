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

    /// Takes a key for a job that is about to be written, or says whose it is. An outer error spoils
    /// the transaction. A key that nobody has costs no statement.
    pub(super) fn take(
        &mut self,
        conn: &Connection,
        job: JobId,
        key: &PreparedKey,
    ) -> rusqlite::Result<Result<(), store::Error>> {
        let digest = key.new.digest;
        let holders = self.shared.keyring.jobs(digest);
        let holders = holders.into_iter().chain(self.new.get(&digest).copied());
        for holder in holders {
            match keys::of_job(conn, holder, digest)? {
                Ok(None) => {}
                Ok(Some(entry)) if key.new.replaces == Some(entry.job) => {
                    conn.prepare_cached(GIVE_UP)?
                        .execute((entry.job.as_bytes(),))?;
                }
                Ok(Some(entry)) => return Ok(Err(store::Error::Taken(entry))),
                Err(error) => return Ok(Err(error)),
            }
        }
        self.new.insert(digest, job);
        Ok(Ok(()))
    }
}
