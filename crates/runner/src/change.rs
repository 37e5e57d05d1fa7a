//! Load, apply, commit, perform: how every job changes here.

use std::sync::Arc;

use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::job::{Action, Event, Job, Transition, apply, damaged};
use raincheck_store::{Change, Error as StoreError, NewKey, Put, StoredRequest, StoredResponse};

use crate::{Error, Shared};

/// How often a change is computed anew because the job changed meanwhile.
const TRIES: usize = 32;

impl Shared {
    /// The stored job. One whose record is damaged is replaced by one that has failed.
    pub(crate) async fn load(&self, id: JobId) -> Result<Job, Error> {
        match self.store.job(id).await {
            Err(StoreError::Corrupt(detail)) => self.set_aside(id, detail).await,
            job => job?.ok_or(Error::NotFound),
        }
    }

    async fn set_aside(&self, id: JobId, detail: String) -> Result<Job, Error> {
        let Some(remains) = self.store.remains(id).await? else {
            return Err(StoreError::Corrupt(detail).into());
        };
        let from = remains.revision;
        let job = damaged(remains, "its stored record is damaged", self.now());
        let put = Put {
            job: job.clone(),
            from: Some(from),
            fence: None,
            request: None,
            key: None,
            response: None,
            drops_response: false,
        };
        match self.store.commit(Change::Put(Box::new(put))).await {
            Ok(()) => {
                tracing::error!(job = %id, detail, "a damaged job has failed");
                self.perform(&[Action::Notify(id)]);
                Ok(job)
            }
            // Somebody else was faster.
            Err(StoreError::Conflict { .. }) => self.store.job(id).await?.ok_or(Error::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// Applies `event` to the stored job and makes the result durable. None: forgotten.
    pub(crate) async fn transit(&self, id: JobId, event: &Event) -> Result<Option<Job>, Error> {
        let mut tries = TRIES;
        loop {
            let job = self.load(id).await?;
            let transition = apply(&job, event, self.now())?;
            match self.commit(&job, transition, None, None).await {
                Err(StoreError::Conflict { .. }) if tries > 0 => tries -= 1,
                done => return Ok(done?),
            }
        }
    }

    /// Makes a transition of a stored job durable, then does what it asks for.
    pub(crate) async fn commit(
        &self,
        job: &Job,
        transition: Transition,
        fence: Option<FencingToken>,
        response: Option<Arc<StoredResponse>>,
    ) -> Result<Option<Job>, StoreError> {
        let Transition {
            next,
            from,
            drops_response,
            actions,
        } = transition;
        let change = match &next {
            Some(next) => Change::Put(Box::new(Put {
                job: next.clone(),
                from,
                fence,
                request: None,
                key: None,
                response,
                drops_response,
            })),
            None => Change::Delete {
                job: job.id(),
                from: job.revision(),
            },
        };
        self.store.commit(change).await?;
        self.perform(&actions);
        Ok(next)
    }

    /// Makes a new job durable with its request, then does what it asks for.
    pub(crate) async fn create(
        &self,
        transition: Transition,
        request: Arc<StoredRequest>,
        key: Option<&NewKey>,
    ) -> Result<Job, Error> {
        let Some(job) = transition.next else {
            return Err(Error::NotFound);
        };
        let put = Put {
            job: job.clone(),
            from: None,
            fence: None,
            request: Some(request),
            key: key.copied(),
            response: None,
            drops_response: false,
        };
        self.store.commit(Change::Put(Box::new(put))).await?;
        self.perform(&transition.actions);
        Ok(job)
    }

    /// Does what a durable change asks for; each of it may be done twice.
    pub(crate) fn perform(&self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Notify(job) => self.watchers.notify(*job),
                Action::Dispatch { route, at } => self.dispatch.ring_at(route, *at),
                Action::Close { job, token } => self.running.close(*job, *token),
                Action::Tell { job, receiver, at } => self.tell_at(*job, *receiver, *at),
            }
        }
    }
}
