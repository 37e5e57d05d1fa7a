//! All that can be seen of a store in which a history happens.

use raincheck_core::id::{FencingToken, JobId, Revision, RouteName};
use raincheck_core::job::{Job, Status};
use raincheck_core::key::KeyDigest;
use raincheck_core::time::Timestamp;

use super::ops::{JOBS, KEYS, ROUTES};
use crate::conformance::bench::read_from;
use crate::conformance::jobs::{counts_of, listed};
use crate::conformance::make::{id, route};
use crate::{Body, Filter, KeyEntry, Overdue, Store, StoredRequest, StoredResponse, ToTell};

/// What the readers of a store see. Bodies are compared by their bytes: their ids are the engine's
/// own business.
#[derive(Debug, PartialEq)]
pub(super) struct Sight {
    jobs: Vec<Option<Job>>,
    requests: Vec<Option<(StoredRequest, Vec<u8>)>>,
    responses: Vec<Option<(StoredResponse, Vec<u8>)>>,
    keys: Vec<Option<KeyEntry>>,
    lists: Vec<Vec<Job>>,
    counts: Vec<(RouteName, Status, u64)>,
    queues: Vec<(u64, Option<Timestamp>)>,
    overdue: Vec<(JobId, Revision, bool)>,
    all_overdue: Vec<(JobId, Revision, bool)>,
    next_overdue: Option<Timestamp>,
    orphans: Vec<(JobId, FencingToken)>,
    to_tell: Vec<ToTell>,
    next_to_tell: Option<Timestamp>,
}

impl Sight {
    /// Looks at everything.
    pub(super) async fn of(store: &dyn Store, now: Timestamp) -> Self {
        let mut jobs = Vec::new();
        let mut requests = Vec::new();
        let mut responses = Vec::new();
        for number in 0..JOBS {
            jobs.push(store.job(id(number)).await.unwrap());
            requests.push(request(store, id(number)).await);
            responses.push(response(store, id(number)).await);
        }
        let mut keys = Vec::new();
        for number in 0..KEYS {
            let found = store.key(digest(number)).await.unwrap();
            let known = store.key_in_memory(digest(number));
            assert!(
                known.is_none() || known == found,
                "memory tells another story"
            );
            keys.push(found);
        }
        let mut orphans = store.orphans(usize::MAX).await.unwrap();
        orphans.sort();
        Self {
            jobs,
            requests,
            responses,
            keys,
            lists: lists(store).await,
            counts: counts_of(store),
            queues: queues(store).await,
            overdue: overdue(store, now).await,
            all_overdue: overdue(store, Timestamp::MAX).await,
            next_overdue: store.next_overdue().await.unwrap(),
            orphans,
            to_tell: store.to_tell(None, now, 99).await.unwrap(),
            next_to_tell: store.next_to_tell(now).await.unwrap(),
        }
    }
}

/// A key of a history.
pub(super) fn digest(number: u8) -> KeyDigest {
    KeyDigest([number; 16])
}

async fn request(store: &dyn Store, job: JobId) -> Option<(StoredRequest, Vec<u8>)> {
    let stored = store.request(job).await.unwrap()?;
    let mut request = (*stored).clone();
    let bytes = bytes(store, &mut request.body).await;
    Some((request, bytes))
}

async fn response(store: &dyn Store, job: JobId) -> Option<(StoredResponse, Vec<u8>)> {
    let stored = store.response(job).await.unwrap()?;
    let mut response = (*stored).clone();
    let bytes = bytes(store, &mut response.body).await;
    Some((response, bytes))
}

/// The bytes of a body, which is then forgotten.
async fn bytes(store: &dyn Store, body: &mut Body) -> Vec<u8> {
    let reader = store.open(body).await.unwrap();
    *body = Body::EMPTY;
    read_from(&*reader, 0, usize::MAX).await
}

async fn lists(store: &dyn Store) -> Vec<Vec<Job>> {
    let all = Filter {
        limit: 4,
        ..Filter::default()
    };
    let mut lists = vec![listed(store, all.clone()).await];
    for status in Status::ALL {
        let filter = Filter {
            status: Some(status),
            ..all.clone()
        };
        lists.push(listed(store, filter).await);
    }
    for name in ROUTES {
        let filter = Filter {
            route: Some(route(name)),
            ..all.clone()
        };
        lists.push(listed(store, filter).await);
    }
    lists
}

async fn queues(store: &dyn Store) -> Vec<(u64, Option<Timestamp>)> {
    let mut queues = Vec::new();
    for name in ROUTES.map(route) {
        let next = store.next_due(name.clone()).await.unwrap();
        queues.push((store.waiting(&name), next));
    }
    queues
}

async fn overdue(store: &dyn Store, now: Timestamp) -> Vec<(JobId, Revision, bool)> {
    let seen = |over: Overdue| (over.job, over.revision, over.finished);
    let all = store.overdue(now, 99).await.unwrap();
    let mut all: Vec<_> = all.into_iter().map(seen).collect();
    all.sort();
    all
}
