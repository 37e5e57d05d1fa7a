//! A change as the writer takes it: encoded by the caller, so that the writer's thread, of which
//! there is one, only binds and steps.

use std::sync::Arc;

use raincheck_core::id::{FencingToken, JobId, Revision, RouteName};
use raincheck_core::job::{Job, Status};
use raincheck_core::key::KeyDigest;
use raincheck_store::{BodyId, Change, KeyEntry, NewKey, Put, StoredRequest, StoredResponse};

use crate::row;

/// A change, ready to be written.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// Writes a job.
    Put(Box<PreparedPut>),
    /// Forgets a job.
    Delete { job: JobId, from: Revision },
}

/// A job's next state, ready to be written.
#[derive(Debug)]
pub(crate) struct PreparedPut {
    pub(crate) job: Job,
    pub(crate) from: Option<Revision>,
    pub(crate) fence: Option<FencingToken>,
    pub(crate) record: Vec<u8>,
    pub(crate) request: Option<Attached<StoredRequest>>,
    pub(crate) key: Option<PreparedKey>,
    pub(crate) response: Option<Attached<StoredResponse>>,
    pub(crate) drops_response: bool,
}

/// A key that a new job takes, ready to be written.
#[derive(Debug)]
pub(crate) struct PreparedKey {
    pub(crate) new: NewKey,
    pub(crate) entry: KeyEntry,
    /// As it stands in the job's row.
    pub(crate) bytes: [u8; 36],
}

impl PreparedKey {
    fn new(job: JobId, new: NewKey) -> Self {
        let entry = KeyEntry {
            job,
            fingerprint: new.fingerprint,
        };
        Self {
            bytes: row::key::encode(new.digest, &entry),
            new,
            entry,
        }
    }
}

/// A request or response, ready to be written.
#[derive(Debug)]
pub(crate) struct Attached<T> {
    pub(crate) value: Arc<T>,
    pub(crate) file: Option<BodyId>,
    pub(crate) record: Vec<u8>,
}

impl Prepared {
    /// Encodes a change.
    pub(crate) fn new(change: Change) -> Self {
        match change {
            Change::Put(put) => Self::Put(Box::new(PreparedPut::new(*put))),
            Change::Delete { job, from } => Self::Delete { job, from },
        }
    }

    /// The job it changes.
    pub(crate) fn job(&self) -> JobId {
        match self {
            Self::Put(put) => put.job.id(),
            Self::Delete { job, .. } => *job,
        }
    }

    /// Whether it makes room, now or once its retention is over, and needs hardly any itself.
    pub(crate) fn makes_room(&self) -> bool {
        match self {
            Self::Put(put) => {
                put.from.is_some() && put.response.is_none() && put.job.status().is_finished()
            }
            Self::Delete { .. } => true,
        }
    }

    /// Whether it is a new job with a key.
    pub(crate) fn takes_a_key(&self) -> bool {
        matches!(self, Self::Put(put) if put.key.is_some())
    }

    /// The files it refers to.
    pub(crate) fn files(&self) -> impl Iterator<Item = BodyId> {
        let (request, response) = match self {
            Self::Put(put) => (put.request_file(), put.response_file()),
            Self::Delete { .. } => (None, None),
        };
        request.into_iter().chain(response)
    }
}

impl PreparedPut {
    fn new(put: Put) -> Self {
        let id = put.job.id();
        Self {
            record: row::job::encode(&put.job),
            request: put.request.map(|value| Attached {
                file: row::body::file_of(&value.body),
                record: row::request::encode(id, &value),
                value,
            }),
            key: put.key.map(|key| PreparedKey::new(id, key)),
            response: put.response.map(|value| Attached {
                file: row::body::file_of(&value.body),
                record: row::response::encode(id, &value),
                value,
            }),
            job: put.job,
            from: put.from,
            fence: put.fence,
            drops_response: put.drops_response,
        }
    }

    /// The file of the request it brings.
    pub(crate) fn request_file(&self) -> Option<BodyId> {
        self.request.as_ref().and_then(|request| request.file)
    }

    /// The file of the response it brings.
    pub(crate) fn response_file(&self) -> Option<BodyId> {
        self.response.as_ref().and_then(|response| response.file)
    }
}

/// What one job's change does to what is kept in memory, once it is durable.
#[derive(Debug)]
pub(crate) struct Effect {
    pub(crate) job: JobId,
    /// The route and status it was in; none: it is new.
    pub(crate) was: Option<(u32, Status)>,
    /// The route and status it is in; none: it is forgotten.
    pub(crate) is: Option<(u32, Status)>,
    /// Files nothing refers to any more.
    pub(crate) freed: Vec<BodyId>,
    /// The key that was forgotten with it.
    pub(crate) left: Option<KeyDigest>,
}

/// A route's name with the number it is stored under.
#[derive(Debug, Clone)]
pub(crate) struct NumberedRoute {
    pub(crate) number: u32,
    pub(crate) name: RouteName,
}
