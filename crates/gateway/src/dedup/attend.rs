//! Waiting for a job like the client of an exchange: its answer as it comes, or its end, or a
//! ticket. Every client that waits for the same job has its own hold.

use http::Response;
use raincheck_core::job::Job;
use raincheck_core::problem::Problem;
use raincheck_core::route::{HoldUntil, Mode, Route};
use raincheck_exchange::Payload;
use raincheck_runner::Watch;

use super::Wait;
use crate::resume::{self, Reader};
use crate::service::Service;
use crate::ticket::ticket;

impl Service {
    /// Waits until a job's answer is there or the hold is over. `watch` is older than `job`.
    pub(crate) async fn attend_job(
        &self,
        mut job: Job,
        route: &Route,
        watch: &mut Watch,
        wait: Wait,
        reader: &Reader,
    ) -> Result<Response<Payload>, Problem> {
        // What comes from the queue is waited for as a whole, as without a key.
        let by_head = route.hold_until == HoldUntil::Head && !wait.queued;
        loop {
            if job.status().is_finished() {
                return match self.ended(&job, reader).await? {
                    Some(response) => Ok(response),
                    None => self.outcome(&job).await,
                };
            }
            if by_head && let Some(response) = self.begun(&job, reader).await? {
                return Ok(response);
            }
            let changed = tokio::select! {
                biased;
                () = watch.changed() => true,
                () = tokio::time::sleep_until(wait.until) => false,
                () = self.runner().last_call() => false,
            };
            if !changed {
                return match route.mode {
                    Mode::Sync => Err(resume::stopping()),
                    _ => Ok(ticket(self.runner(), &job, &self.links(), wait.prefer)),
                };
            }
            let loaded = self.runner().job(job.id()).await;
            job = loaded.map_err(|error| error.problem())?;
        }
    }
}
