//! Commit, then 202; or the answer itself, if the client waits and it comes in time.

use http::Response;
use raincheck_core::job::Job;
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_runner::accept::Accepted;
use tokio::time::Instant;

use crate::service::Service;
use crate::ticket::ticket;

impl Service {
    /// Makes a job of a request and answers with its ticket, or with its result if that is there
    /// before `until`.
    pub(crate) async fn queue(
        &self,
        accepted: Accepted,
        prefer: Prefer,
        until: Instant,
    ) -> Result<Response<Payload>, Problem> {
        let prefer = prefer.past_hold(&accepted.route, &accepted.head);
        let submit = |accepted| async {
            self.runner()
                .submit(accepted)
                .await
                .map_err(|e| e.problem())
        };
        if until <= Instant::now() {
            let job = submit(accepted).await?;
            return Ok(ticket(self.runner(), &job, &self.links(), prefer));
        }
        let mut watch = self.runner().watch(accepted.id);
        let job = submit(accepted).await?;
        self.await_job(job, &mut watch, prefer, until).await
    }

    /// Waits until a job is finished or `until`; answers with its result or its ticket.
    pub(crate) async fn await_job(
        &self,
        mut job: Job,
        watch: &mut raincheck_runner::Watch,
        prefer: Prefer,
        until: Instant,
    ) -> Result<Response<Payload>, Problem> {
        while !job.status().is_finished() {
            let changed = tokio::select! {
                biased;
                () = tokio::time::sleep_until(until) => false,
                () = self.runner().last_call() => false,
                () = watch.changed() => true,
            };
            if !changed {
                return Ok(ticket(self.runner(), &job, &self.links(), prefer));
            }
            job = self
                .runner()
                .job(job.id())
                .await
                .map_err(|error| error.problem())?;
        }
        self.outcome(&job).await
    }

    /// The result of a finished job, to the client that began it.
    pub(crate) async fn outcome(&self, job: &Job) -> Result<Response<Payload>, Problem> {
        let replayed = raincheck_runner::result::replay(self.runner(), job).await;
        match replayed.map_err(|error| error.problem())? {
            Some(response) => Ok(response),
            None => Err(raincheck_runner::result::problem(job)),
        }
    }
}
