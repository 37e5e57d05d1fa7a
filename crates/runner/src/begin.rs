//! From a leased job to an attempt whose start is durable and whose request is at hand.

use std::sync::Arc;

use http::HeaderMap;
use raincheck_core::head::RequestHead;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, apply};
use raincheck_core::outcome::{Failure, Seen};
use raincheck_exchange::RequestBody;
use raincheck_exchange::record::storage;
use raincheck_store::{Error as StoreError, StoredRequest};

use crate::running::Entry;
use crate::{Error, Shared};

/// A job whose start is durable; it is on the books as running since before that.
pub(crate) struct Begun {
    pub(crate) job: Job,
    pub(crate) entry: Entry,
}

/// A request, ready to be sent.
pub(crate) struct Ready {
    pub(crate) head: RequestHead,
    pub(crate) body: RequestBody,
    pub(crate) trailers: HeaderMap,
}

/// Why a stored request cannot be sent.
pub(crate) enum Unready {
    /// It will never be readable.
    Damaged(String),
    /// It is not readable now.
    Unread(Failure),
}

impl Shared {
    /// Starts the next attempt of a queued job. None: its deadline has passed, and it is expired.
    pub(crate) async fn begin(&self, id: JobId) -> Result<Option<Begun>, Error> {
        loop {
            let job = self.load(id).await?;
            let now = self.now();
            if job.deadline().is_some_and(|deadline| deadline <= now) {
                self.transit(id, &Event::Expire).await?;
                return Ok(None);
            }
            let transition = apply(&job, &Event::Start, now)?;
            let token = transition.next.as_ref().ok_or(Error::NotFound)?.token();
            let entry = self.running.enter(id, token);
            match self.commit(&job, transition, None, None).await {
                Ok(Some(job)) => return Ok(Some(Begun { job, entry })),
                Ok(None) => return Ok(None),
                Err(StoreError::Conflict { .. }) => drop(entry),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads a stored request back; `known` where it has just been written.
    pub(crate) async fn ready(
        &self,
        id: JobId,
        known: Option<Arc<StoredRequest>>,
    ) -> Result<Ready, Unready> {
        let request = match known {
            Some(request) => request,
            None => match self
                .store
                .request(id)
                .await
                .map_err(|error| unready(&error))?
            {
                Some(request) => request,
                None => return Err(Unready::Damaged("its request is missing".to_owned())),
            },
        };
        let body = RequestBody::load(&request.body, &*self.store);
        let body = body.await.map_err(|error| unready(&error))?;
        let StoredRequest { head, trailers, .. } = &*request;
        Ok(Ready {
            head: head.clone(),
            body,
            trailers: trailers.clone(),
        })
    }
}

fn unready(error: &StoreError) -> Unready {
    match error {
        StoreError::Corrupt(detail) => Unready::Damaged(detail.clone()),
        error => Unready::Unread(Failure {
            seen: Seen::Unreached,
            ..storage(error)
        }),
    }
}
