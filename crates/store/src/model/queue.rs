//! What is due, and who works on it.

use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::Job;
use raincheck_core::time::Timestamp;

use super::{ModelStore, State};
use crate::{Lease, Overdue, Pending, Queue};

impl Queue for ModelStore {
    fn lease(
        &self,
        route: RouteName,
        now: Timestamp,
        limit: usize,
        until: Timestamp,
    ) -> Pending<'_, Vec<Lease>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let due = queued(&state, &route).into_iter();
            let taken = due
                .take_while(|(at, _)| *at <= now)
                .filter(|(_, job)| self.shared.leases.take(*job, until))
                .map(|(_, job)| Lease { job, until });
            Ok(taken.take(limit).collect())
        })
    }

    fn lease_one(&self, job: JobId, _now: Timestamp, until: Timestamp) -> bool {
        self.shared.open_state().is_ok() && self.shared.leases.take(job, until)
    }

    fn renew(&self, job: JobId, until: Timestamp) -> bool {
        self.shared.open_state().is_ok() && self.shared.leases.renew(job, until)
    }

    fn release(&self, job: JobId) {
        self.shared.leases.release(job);
    }

    fn lapsed(&self, now: Timestamp) -> Vec<JobId> {
        self.shared.leases.lapsed(now)
    }

    fn next_due(&self, route: RouteName) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let mut free = queued(&state, &route)
                .into_iter()
                .filter(|(_, job)| !self.shared.leases.is_held(*job));
            Ok(free.next().map(|(at, _)| at))
        })
    }

    fn waiting(&self, route: &RouteName) -> u64 {
        queued(&self.shared.state(), route).len() as u64
    }

    fn orphans(&self, limit: usize) -> Pending<'_, Vec<(JobId, FencingToken)>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let unchanged = state.orphans.iter().filter_map(|(id, revision)| {
                let job = state.disk.jobs.get(id)?;
                (job.revision() == *revision).then_some((*id, job.token()))
            });
            Ok(unchanged.take(limit).collect())
        })
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Pending<'_, Vec<Overdue>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            let jobs = state.disk.jobs.values();
            let mut over: Vec<(Timestamp, Overdue)> = jobs
                .filter_map(|job| Some((job.over_at()?, overdue(job))))
                .filter(|(at, _)| *at <= now)
                .collect();
            over.sort_by_key(|(at, overdue)| (*at, overdue.job));
            Ok(over.into_iter().map(|(_, over)| over).take(limit).collect())
        })
    }

    fn next_overdue(&self) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            let state = self.shared.open_state()?;
            Ok(state.disk.jobs.values().filter_map(Job::over_at).min())
        })
    }
}

/// Queued jobs of a route in the order in which they are due.
fn queued(state: &State, route: &RouteName) -> Vec<(Timestamp, JobId)> {
    let jobs = state.disk.jobs.values();
    let mut queued: Vec<_> = jobs
        .filter(|job| job.route() == route)
        .filter_map(|job| Some((job.due_at()?, job.id())))
        .collect();
    queued.sort_unstable();
    queued
}

fn overdue(job: &Job) -> Overdue {
    Overdue {
        job: job.id(),
        revision: job.revision(),
        finished: job.status().is_finished(),
    }
}
