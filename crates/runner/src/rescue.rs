//! Attempts whose end nobody will tell: of an earlier process, or of a task that died here.

use std::sync::Arc;

use raincheck_core::id::{FencingToken, JobId};
use raincheck_core::job::{Event, Status};

use crate::{Error, LEASE, Shared};

/// Orphans looked at in one go.
const BATCH: usize = 256;

/// Rescues what an earlier process left, then keeps leases alive and looks for lapsed ones.
pub(crate) async fn run(shared: Arc<Shared>) {
    while let Ok(true) = shared.rescue_orphans().await {}
    loop {
        tokio::select! {
            () = shared.stopped.cancelled() => return,
            () = tokio::time::sleep(LEASE / 3) => {}
        }
        let now = shared.now();
        for job in shared.running.jobs() {
            shared.store.renew(job, now.after(LEASE));
        }
        for job in shared.store.lapsed(now) {
            shared.rescue_lapsed(job).await;
        }
    }
}

impl Shared {
    /// Rescues a batch; whether there may be more.
    async fn rescue_orphans(&self) -> Result<bool, Error> {
        let orphans = self.store.orphans(BATCH).await?;
        let more = orphans.len() == BATCH;
        for (job, token) in orphans {
            self.rescue(job, token).await;
        }
        Ok(more)
    }

    async fn rescue_lapsed(&self, id: JobId) {
        match self.store.job(id).await {
            Ok(Some(job)) if job.status() == Status::Processing => {
                self.rescue(id, job.token()).await;
            }
            Ok(Some(job)) => self.dispatch.ring(job.route()),
            Ok(None) => {}
            Err(error) => tracing::error!(job = %id, %error, "a lapsed job could not be read"),
        }
    }

    async fn rescue(&self, id: JobId, token: FencingToken) {
        match self.transit(id, &Event::Rescue { token }).await {
            Ok(Some(job)) => {
                tracing::warn!(job = %id, status = job.status().as_str(), "rescued a lost attempt");
            }
            Ok(None) | Err(Error::Refused(_) | Error::NotFound) => {}
            Err(error) => tracing::error!(job = %id, %error, "a lost attempt was not rescued"),
        }
    }
}
