//! What people order: cancel, retry, forget.

use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job};

use crate::{Error, Runner};

impl Runner {
    /// Cancels an unfinished job and closes its exchange.
    ///
    /// # Errors
    /// `NotFound`; `Refused` if it is finished; what the store says.
    pub async fn cancel(&self, id: JobId) -> Result<Job, Error> {
        self.shared.transit(id, &Event::Cancel).await?.ok_or(Error::NotFound)
    }

    /// Runs a failed, cancelled or expired job again.
    ///
    /// # Errors
    /// `NotFound`; `Refused` in any other status; `Draining`; what the store says.
    pub async fn retry(&self, id: JobId) -> Result<Job, Error> {
        if self.is_draining() {
            return Err(Error::Draining);
        }
        self.shared.transit(id, &Event::Retry).await?.ok_or(Error::NotFound)
    }

    /// Forgets a finished job.
    ///
    /// # Errors
    /// `NotFound`; `Refused` if it is unfinished; what the store says.
    pub async fn forget(&self, id: JobId) -> Result<(), Error> {
        self.shared.transit(id, &Event::Forget).await.map(|_| ())
    }
}
