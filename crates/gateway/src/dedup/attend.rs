//! Waiting for a job like the client of an exchange: its answer as it comes, or its end, or a
//! ticket. Every client that waits for the same job has its own hold.

use std::sync::Arc;

use http::Response;
use raincheck_core::job::Job;
use raincheck_core::problem::Problem;
use raincheck_core::route::{HoldUntil, Route};
use raincheck_exchange::{Payload, Recording, followed};
use raincheck_runner::Watch;
use tokio::time::Instant;

use super::Wait;
use crate::service::Service;
use crate::ticket::ticket;

impl Service {
    /// Waits until a job's answer is there or the hold is over. `watch` is older than `job`.
    pub(super) async fn attend_job(
        &self,
        mut job: Job,
        route: &Route,
        watch: &mut Watch,
        wait: Wait,
    ) -> Result<Response<Payload>, Problem> {
        // What comes from the queue is waited for as a whole, as without a key.
        let by_head = route.hold_until == HoldUntil::Head && !wait.queued;
        loop {
            if job.status().is_finished() {
                return self.outcome(&job).await;
            }
            if by_head
                && let Some(recording) = self.runner().recording(job.id())
                && let Some(response) = begun(recording, wait.until).await
            {
                return Ok(response);
            }
            let changed = tokio::select! {
                biased;
                () = watch.changed() => true,
                () = tokio::time::sleep_until(wait.until) => false,
                () = self.runner().last_call() => false,
            };
            if !changed {
                return Ok(ticket(self.runner(), &job, &self.links(), wait.prefer));
            }
            let loaded = self.runner().job(job.id()).await;
            job = loaded.map_err(|error| error.problem())?;
        }
    }
}

/// The response that is being recorded. Its head is there or about to be.
async fn begun(recording: Arc<Recording>, until: Instant) -> Option<Response<Payload>> {
    let response = tokio::time::timeout_at(until, followed::response(recording));
    response.await.ok().flatten()
}
