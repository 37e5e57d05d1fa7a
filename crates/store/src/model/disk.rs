//! What survives a crash, and what one change does to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use raincheck_core::id::{JobId, Revision};
use raincheck_core::job::{Job, Status};
use raincheck_core::key::KeyDigest;

use super::bodies::Bytestring;
use super::file_id;
use crate::{BodyId, Change, Error, KeyEntry, NewKey, Put, StoredRequest, StoredResponse};

/// What survives a crash.
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) requests: BTreeMap<JobId, Arc<StoredRequest>>,
    pub(super) responses: BTreeMap<JobId, Arc<StoredResponse>>,
    /// Each with the job that it leads to.
    pub(super) keys: BTreeMap<KeyDigest, KeyEntry>,
    pub(super) files: BTreeMap<BodyId, Arc<Bytestring>>,
    /// The last body id that was given out; never reused.
    pub(super) last_body: u128,
}

impl Disk {
    /// Carries out one change, or refuses it and changes nothing.
    pub(super) fn apply(&mut self, change: Change) -> Result<(), Error> {
        match change {
            Change::Put(put) => {
                self.check_put(&put)?;
                self.put(*put);
            }
            Change::Delete { job, from } => {
                self.check_revision(job, from)?;
                self.delete(job);
            }
        }
        Ok(())
    }

    /// The fence is looked at before the revision: an attempt that is over is to be told so, not to
    /// load the job and decide again.
    fn check_put(&self, put: &Put) -> Result<(), Error> {
        let id = put.job.id();
        let Some(from) = put.from else {
            return match self.jobs.get(&id) {
                Some(_) => Err(Error::Exists(id)),
                None => self.check_key(put.key.as_ref()),
            };
        };
        debug_assert_eq!(put.job.revision(), from.next(), "a revision was skipped");
        debug_assert_eq!(
            put.request, None,
            "a request is written with a new job only"
        );
        if let (Some(fence), Some(stored)) = (put.fence, self.jobs.get(&id))
            && stored.token() != fence
        {
            return Err(Error::Fenced(id));
        }
        self.check_revision(id, from)
    }

    /// A key may be taken that leads nowhere, or to the job that was looked at.
    fn check_key(&self, new: Option<&NewKey>) -> Result<(), Error> {
        let taken = new.and_then(|new| Some((new, self.keys.get(&new.digest)?)));
        match taken {
            Some((new, entry)) if new.replaces != Some(entry.job) => Err(Error::Taken(*entry)),
            _ => Ok(()),
        }
    }

    fn check_revision(&self, job: JobId, expected: Revision) -> Result<(), Error> {
        let found = self.jobs.get(&job).map(Job::revision);
        if found == Some(expected) {
            return Ok(());
        }
        Err(Error::Conflict {
            job,
            expected,
            found,
        })
    }

    fn put(&mut self, put: Put) {
        let id = put.job.id();
        if put.drops_response || put.response.is_some() {
            self.drop_response(id, put.response.as_deref());
        }
        if let Some(response) = put.response {
            self.responses.insert(id, response);
        }
        if let Some(NewKey {
            digest,
            fingerprint,
            ..
        }) = put.key
        {
            let entry = KeyEntry {
                job: id,
                fingerprint,
            };
            self.keys.insert(digest, entry);
        }
        if let Some(request) = put.request {
            self.requests.insert(id, request);
        }
        self.jobs.insert(id, put.job);
    }

    pub(super) fn delete(&mut self, job: JobId) {
        self.jobs.remove(&job);
        self.keys.retain(|_, entry| entry.job != job);
        self.drop_response(job, None);
        if let Some(request) = self.requests.remove(&job)
            && let Some(file) = file_id(&request.body)
        {
            self.files.remove(&file);
        }
    }

    fn drop_response(&mut self, job: JobId, replaced_by: Option<&StoredResponse>) {
        let kept = replaced_by.and_then(|response| file_id(&response.body));
        if let Some(old) = self.responses.remove(&job)
            && let Some(file) = file_id(&old.body)
            && kept != Some(file)
        {
            self.files.remove(&file);
        }
    }

    /// Jobs whose attempt nobody runs any more once the store is opened anew.
    pub(super) fn processing(&self) -> BTreeMap<JobId, Revision> {
        let jobs = self.jobs.values();
        jobs.filter(|job| job.status() == Status::Processing)
            .map(|job| (job.id(), job.revision()))
            .collect()
    }

    /// The same without bodies that nothing refers to.
    pub(super) fn survivors(&self) -> Self {
        let requests = self.requests.values().map(|request| &request.body);
        let responses = self.responses.values().map(|response| &response.body);
        let referred: BTreeSet<BodyId> = requests.chain(responses).filter_map(file_id).collect();
        let mut survivors = self.clone();
        survivors.files.retain(|id, _| referred.contains(id));
        survivors
    }
}
