//! Attempts whose end nobody will tell, of an earlier process or of a task that died here; and jobs
//! whose route is gone.

use std::sync::Arc;
use std::time::Duration;

use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::{Event, Status};
use raincheck_store::Filter;

use crate::together::all;
use crate::{Error, LEASE, Shared};

/// Jobs looked at in one go.
const BATCH: usize = 256;
/// The wait before orphans that could not be rescued are looked at again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rescues what an earlier process left, then keeps leases alive and looks for lapsed ones.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut orphans = true;
    loop {
        if orphans {
            orphans = shared.rescue_orphans().await.unwrap_or(true);
        }
        shared.fail_homeless().await;
        tokio::select! {
            biased;
            () = shared.stopped.cancelled() => return,
            () = shared.homeless.notified() => {}
            () = tokio::time::sleep(if orphans { AGAIN } else { LEASE / 3 }) => {}
        }
        let now = shared.now();
        for job in shared.running.jobs() {
            shared.store.renew(job, now.after(LEASE));
        }
        let lapsed = shared.store.lapsed(now).into_iter();
        all(lapsed.map(|job| shared.rescue_lapsed(job))).await;
    }
}

impl Shared {
    /// Rescues all orphans; whether some are left, because the store would not.
    async fn rescue_orphans(&self) -> Result<bool, Error> {
        loop {
            let orphans = self.store.orphans(BATCH).await?;
            if orphans.is_empty() {
                return Ok(false);
            }
            let rescued = all(orphans
                .into_iter()
                .map(|(job, token)| self.rescue(job, token)));
            if !rescued.await.contains(&true) || self.stopped.is_cancelled() {
                return Ok(true);
            }
        }
    }

    async fn rescue_lapsed(&self, id: JobId) {
        let done = match self.load(id).await {
            Ok(job) if job.status() == Status::Processing => self.rescue(id, job.token()).await,
            Ok(job) => {
                self.dispatch.ring(job.route());
                true
            }
            Err(Error::NotFound) => true,
            Err(error) => {
                tracing::error!(job = %id, %error, "a lapsed job could not be read");
                false
            }
        };
        if !done {
            // Nobody else remembers it: this lapses too, and is looked at again.
            self.store.lease_one(id, self.now(), self.now());
        }
    }

    /// Rescues one attempt; false if the store would not.
    async fn rescue(&self, id: JobId, token: FencingToken) -> bool {
        match self.transit(id, &Event::Rescue { token }).await {
            Ok(job) => {
                let status = job.as_ref().map_or("gone", |job| job.status().as_str());
                tracing::warn!(job = %id, status, "rescued a lost attempt");
                true
            }
            Err(Error::Refused(_) | Error::NotFound) => true,
            Err(error) => {
                tracing::error!(job = %id, %error, "a lost attempt was not rescued");
                false
            }
        }
    }

    /// Fails queued jobs whose route is not configured any more: nobody would ever run them.
    async fn fail_homeless(&self) {
        for (route, status, count) in self.store.counts() {
            if status == Status::Queued && count > 0 && self.routes.named(&route).is_none() {
                match self.fail_all_of(&route).await {
                    Ok(0) => {}
                    Ok(jobs) => tracing::warn!(%route, jobs, "queued jobs failed: no such route"),
                    Err(error) => {
                        tracing::error!(%route, %error, "jobs without a route were not failed");
                    }
                }
            }
        }
    }

    /// Says how many there were.
    async fn fail_all_of(&self, route: &RouteName) -> Result<usize, Error> {
        let mut count = 0;
        let mut filter = Filter {
            status: Some(Status::Queued),
            route: Some(route.clone()),
            before: None,
            limit: BATCH,
        };
        loop {
            let page = self.store.list(filter.clone()).await?;
            let gone = &Event::RouteGone;
            let failed = all(page.jobs.iter().map(|job| self.transit(job.id(), gone)));
            for result in failed.await {
                match result {
                    Ok(_) => count += 1,
                    Err(Error::Refused(_) | Error::NotFound) => {}
                    Err(error) => return Err(error),
                }
            }
            filter.before = page.next;
            let is_back = self.routes.named(route).is_some();
            if filter.before.is_none() || is_back || self.stopped.is_cancelled() {
                return Ok(count);
            }
        }
    }
}
