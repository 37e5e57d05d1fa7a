//! The store's traits on the simulated disk: every call waits for its machine, then asks the model.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use raincheck_core::id::{FencingToken, JobId, RouteName};
use raincheck_core::job::{Job, Status};
use raincheck_core::key::KeyDigest;
use raincheck_core::time::Timestamp;
use raincheck_store::{
    Bodies, Body, BodyReader, BodyWriter, Change, Commit, Deliveries, Error, Filter, Idempotency,
    Jobs, KeyEntry, Lease, Overdue, Page, Pending, Queue, Store, StoredRequest, StoredResponse,
    ToTell,
};
use tokio::sync::oneshot;

use super::{Disk, Handed};
use crate::broken::Broken;

impl Commit for Disk {
    fn commit(&self, change: Change) -> Pending<'_, ()> {
        let (done, answer) = oneshot::channel();
        let handed = self.hand_in.send(Handed { change, done });
        Box::pin(async move {
            self.host.going_on().await;
            if handed.is_err() {
                std::future::pending::<()>().await;
            }
            match answer.await {
                Ok(result) => {
                    self.host.going_on().await;
                    result
                }
                // The writer died with its machine: so did we.
                Err(_) => std::future::pending().await,
            }
        })
    }
}

impl Jobs for Disk {
    fn job(&self, id: JobId) -> Pending<'_, Option<Job>> {
        Box::pin(async move {
            self.turn().await;
            self.model.job(id).await
        })
    }

    fn request(&self, id: JobId) -> Pending<'_, Option<Arc<StoredRequest>>> {
        Box::pin(async move {
            self.turn().await;
            self.model.request(id).await
        })
    }

    fn response(&self, id: JobId) -> Pending<'_, Option<Arc<StoredResponse>>> {
        Box::pin(async move {
            self.turn().await;
            self.model.response(id).await
        })
    }

    fn list(&self, filter: Filter) -> Pending<'_, Page> {
        Box::pin(async move {
            self.turn().await;
            self.model.list(filter).await
        })
    }

    fn counts(&self) -> Vec<(RouteName, Status, u64)> {
        match self.host.goes_on() {
            true => self.model.counts(),
            false => Vec::new(),
        }
    }
}

impl Queue for Disk {
    fn lease(
        &self,
        route: RouteName,
        now: Timestamp,
        limit: usize,
        until: Timestamp,
    ) -> Pending<'_, Vec<Lease>> {
        Box::pin(async move {
            self.turn().await;
            self.model.lease(route, now, limit, until).await
        })
    }

    fn lease_one(&self, job: JobId, now: Timestamp, until: Timestamp) -> bool {
        self.host.goes_on() && self.model.lease_one(job, now, until)
    }

    fn renew(&self, job: JobId, until: Timestamp) -> bool {
        // A machine that stands still renews nothing, and does not learn of it either.
        !self.host.goes_on() || self.model.renew(job, until)
    }

    fn release(&self, job: JobId) {
        if self.host.goes_on() {
            self.model.release(job);
        }
    }

    fn lapsed(&self, now: Timestamp) -> Vec<JobId> {
        match self.host.goes_on() {
            true => self.model.lapsed(now),
            false => Vec::new(),
        }
    }

    fn next_due(&self, route: RouteName) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.turn().await;
            self.model.next_due(route).await
        })
    }

    fn waiting(&self, route: &RouteName) -> u64 {
        match self.host.goes_on() {
            true => self.model.waiting(route),
            false => 0,
        }
    }

    fn orphans(&self, limit: usize) -> Pending<'_, Vec<(JobId, FencingToken)>> {
        Box::pin(async move {
            self.turn().await;
            self.model.orphans(limit).await
        })
    }

    fn overdue(&self, now: Timestamp, limit: usize) -> Pending<'_, Vec<Overdue>> {
        Box::pin(async move {
            self.turn().await;
            self.model.overdue(now, limit).await
        })
    }

    fn next_overdue(&self) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.turn().await;
            self.model.next_overdue().await
        })
    }
}

impl Deliveries for Disk {
    fn to_tell(
        &self,
        after: Option<(Timestamp, JobId)>,
        now: Timestamp,
        limit: usize,
    ) -> Pending<'_, Vec<ToTell>> {
        Box::pin(async move {
            self.turn().await;
            self.model.to_tell(after, now, limit).await
        })
    }

    fn next_to_tell(&self, now: Timestamp) -> Pending<'_, Option<Timestamp>> {
        Box::pin(async move {
            self.turn().await;
            self.model.next_to_tell(now).await
        })
    }
}

impl Idempotency for Disk {
    fn key(&self, digest: KeyDigest) -> Pending<'_, Option<KeyEntry>> {
        Box::pin(async move {
            self.turn().await;
            self.model.key(digest).await
        })
    }

    fn key_in_memory(&self, digest: KeyDigest) -> Option<KeyEntry> {
        match self.host.goes_on() {
            true => self.model.key_in_memory(digest),
            false => None,
        }
    }
}

impl Bodies for Disk {
    fn create(&self) -> Box<dyn BodyWriter> {
        self.model.create()
    }

    fn open(&self, body: &Body) -> Pending<'_, Box<dyn BodyReader>> {
        let body = body.clone();
        Box::pin(async move {
            self.turn().await;
            let reader = self.model.open(&body).await?;
            let flips = self.platters.broken == Some(Broken::FlipsByte) && self.chance.percent(30);
            Ok(match flips {
                true => Box::new(Flipping(reader)) as Box<dyn BodyReader>,
                false => reader,
            })
        })
    }
}

impl Store for Disk {
    fn close(&self) -> Pending<'_, ()> {
        Box::pin(async move {
            self.turn().await;
            self.model.close().await
        })
    }

    fn fault(&self) -> Option<String> {
        self.model.fault()
    }

    fn lacks_room(&self) -> Option<String> {
        self.model.lacks_room()
    }

    fn faulted(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>> {
        self.model.faulted()
    }
}

/// A reader that changes the first byte of what it reads.
struct Flipping(Box<dyn BodyReader>);

impl BodyReader for Flipping {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        Box::pin(async move {
            let bytes = self.0.read(offset, limit).await?;
            let mut spoilt = BytesMut::from(&bytes[..]);
            if let Some(first) = spoilt.first_mut() {
                *first ^= 1;
            }
            Ok::<_, Error>(spoilt.freeze())
        })
    }
}
