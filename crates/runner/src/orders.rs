//! What people order: cancel, retry, forget. An order that was begun is carried out whole, also
//! when whoever gave it is gone.

use std::sync::Arc;

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};

use crate::{Error, Runner, Shared};

impl Runner {
    /// Cancels an unfinished job and closes its exchange.
    ///
    /// # Errors
    /// `NotFound`; `Refused` if it is finished; what the store says.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Error> {
        self.order(id, Event::Cancel).await?.ok_or(Error::NotFound)
    }

    /// The same when nobody waits for it.
    pub fn cancel_unheard(&self, id: JobId) {
        let shared = Arc::clone(&self.shared);
        self.shared
            .tasks
            .spawn(async move { shared.cancel_unheard(id).await });
    }

    /// Runs a failed, cancelled or expired job again.
    ///
    /// # Errors
    /// `NotFound`; `Refused` in any other status; `Draining`; what the store says.
    pub async fn retry(&self, id: JobId) -> Result<Job, Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        self.order(id, Event::Retry).await?.ok_or(Error::NotFound)
    }

    /// Forgets a finished job.
    ///
    /// # Errors
    /// `NotFound`; `Refused` if it is unfinished; what the store says.
    pub async fn forget(&self, id: JobId) -> Result<(), Error> {
        self.order(id, Event::Forget).await.map(|_| ())
    }

    pub(crate) async fn order(&self, id: JobId, event: Event) -> Result<Option<Job>, Error> {
        let shared = Arc::clone(&self.shared);
        let task = self
            .shared
            .tasks
            .spawn(async move { shared.transit(id, &event).await });
        task.await.unwrap_or_else(|_| Err(Error::died()))
    }
}

impl Shared {
    /// Cancels a job whose client is gone.
    pub(crate) async fn cancel_unheard(&self, id: JobId) {
        match self.transit(id, &Event::Cancel).await {
            Ok(_) | Err(Error::NotFound | Error::Refused(_)) => {}
            Err(error) => tracing::warn!(job = %id, %error, "a job could not be cancelled"),
        }
    }
}
