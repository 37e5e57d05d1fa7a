//! What is still to be told.

use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::time::Timestamp;

use super::ModelStore;
use crate::{Deliveries, Pending, ToTell};

impl Deliveries for ModelStore {
    fn to_tell(
        &self,
        after: Option<(Timestamp, JobId)>,
        now: Timestamp,
        limit: usize,
    ) -> Pending<'_, Vec<ToTell>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let mut all: Vec<ToTell> = state
                .disk
                .jobs
                .values()
                .filter_map(to_tell)
                .filter(|own| own.at <= now)
                .filter(|own| after.is_none_or(|place| (own.at, own.job) > place))
                .collect();
            all.sort_unstable();
            all.truncate(limit);
            Ok(all)
        })
    }

    fn next_to_tell(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let times = state.disk.jobs.values().filter_map(Job::tell_at);
            Ok(times.filter(|at| *at > now).min())
        })
    }
}

fn to_tell(job: &Job) -> Option<ToTell> {
    Some(ToTell {
        at: job.tell_at()?,
        job: job.id(),
        receiver: job.callback()?.receiver,
    })
}
