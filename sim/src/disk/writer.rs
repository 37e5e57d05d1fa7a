//! The writer: takes changes in the order in which they come, and syncs those that came together.

use std::sync::Arc;

use raincheck_core::job::{Job, Status};
use raincheck_store::model::ModelStore;
use raincheck_store::{Change, Commit, Error, Jobs, Put};
use tokio::sync::{mpsc, oneshot};

use super::{CrashPoint, Handed, Platters, sync_time};
use crate::broken::Broken;
use crate::history::What;
use crate::net::Host;

/// Changes that share one sync at most.
const GROUP: usize = 64;

/// The writer of one process.
pub(super) struct Writer {
    pub(super) model: ModelStore,
    pub(super) platters: Arc<Platters>,
    pub(super) host: Host,
    pub(super) changes: mpsc::UnboundedReceiver<Handed>,
    pub(super) died: Box<dyn Fn() + Send + Sync>,
}

impl Writer {
    /// Runs until its process is gone.
    pub(super) async fn run(mut self) {
        let mut group = Vec::new();
        while self.changes.recv_many(&mut group, GROUP).await > 0 {
            self.host.going_on().await;
            if self.platters.broken == Some(Broken::AcknowledgesEarly) {
                self.acknowledge(&mut group);
            }
            tokio::time::sleep(sync_time(&self.platters)).await;
            let stalled = self.platters.faults().stalled_until;
            if let Some(until) = stalled {
                tokio::time::sleep_until(until).await;
            }
            self.host.going_on().await;
            self.sync(&mut group).await;
        }
    }

    async fn sync(&self, group: &mut Vec<Handed>) {
        let number = self.platters.count_sync();
        let crashes = |after| {
            let point = CrashPoint {
                sync: number,
                after,
            };
            self.platters.faults().crashes.contains(&point)
        };
        if crashes(false) {
            return self.die().await;
        }
        let fails = self.platters.faults().fails_next.take();
        if let Some(survives) = fails {
            return self.fail(group, survives).await;
        }
        let mut results = Vec::new();
        for handed in group.iter() {
            results.push(self.carry_out(handed.change.clone()).await);
        }
        if crashes(true) {
            return self.die().await;
        }
        for (handed, result) in group.drain(..).zip(results) {
            // Nobody listens where the caller has given up; the change stands all the same.
            _ = handed.done.send(result);
        }
    }

    /// What a disk that lies does: says that all went well, and sees to it later.
    fn acknowledge(&self, group: &mut [Handed]) {
        for handed in group {
            let (unheard, _) = oneshot::channel();
            // Nobody listens where the caller has given up.
            _ = std::mem::replace(&mut handed.done, unheard).send(Ok(()));
        }
    }

    /// Ends the process here. Nobody is told anything.
    async fn die(&self) {
        (self.died)();
        std::future::pending().await
    }

    /// A sync that failed: nothing is acknowledged, and whatever came before it may be there.
    async fn fail(&self, group: &mut Vec<Handed>, survives: bool) {
        self.platters
            .history
            .fault(format!("a sync fails; its changes survive: {survives}"));
        if survives {
            for handed in group.iter() {
                // What a change comes to here is seen by the next process.
                _ = self.carry_out(handed.change.clone()).await;
            }
        }
        let reason = "fdatasync: Input/output error";
        self.model.break_down(reason);
        refuse(group, &Error::Unavailable(reason.to_owned()));
    }

    /// Makes one change durable, and writes down what became of its job.
    async fn carry_out(&self, change: Change) -> Result<(), Error> {
        let change = match self.spoilt(change).await {
            Some(change) => change,
            None => return Ok(()),
        };
        let what = told(&change);
        self.model.commit(change).await?;
        self.platters.history.add(what);
        Ok(())
    }

    /// The change as a broken disk takes it; none: it only says so.
    async fn spoilt(&self, change: Change) -> Option<Change> {
        match (self.platters.broken, change) {
            (Some(Broken::ForgetsCommit), Change::Put(put)) if put.from.is_none() => {
                let forgets = self.platters.chance.percent(30);
                (!forgets).then_some(Change::Put(put))
            }
            (Some(Broken::ForgetsKeys), Change::Put(put)) => {
                Some(Change::Put(Box::new(Put { key: None, ..*put })))
            }
            (Some(Broken::KeepsAll), Change::Delete { .. }) => None,
            (Some(Broken::TakesLateEnds), Change::Put(put)) => {
                Some(Change::Put(Box::new(self.forced(*put).await)))
            }
            (_, change) => Some(change),
        }
    }

    /// The same change, made to fit whatever is stored.
    async fn forced(&self, mut put: Put) -> Put {
        let stored = self.model.job(put.job.id()).await.ok().flatten();
        if let (Some(stored), Some(_)) = (stored, put.from) {
            let mut fields = put.job.fields().clone();
            fields.revision = stored.revision().next();
            if let Ok(job) = Job::restore(fields) {
                put.job = job;
                put.from = Some(stored.revision());
                put.fence = None;
            }
        }
        put
    }
}

fn refuse(group: &mut Vec<Handed>, error: &Error) {
    for handed in group.drain(..) {
        // Nobody listens where the caller has given up.
        _ = handed.done.send(Err(error.clone()));
    }
}

fn told(change: &Change) -> What {
    match change {
        Change::Put(put) => durable(&put.job, Some(put.job.status())),
        Change::Delete { job, .. } => What::Durable {
            job: *job,
            status: None,
            token: 0,
            executions: 0,
        },
    }
}

fn durable(job: &Job, status: Option<Status>) -> What {
    What::Durable {
        job: job.id(),
        status,
        token: job.token().0,
        executions: job.executions(),
    }
}
