//! A process died: what the next one does with what it finds.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use raincheck_core::ambient::Clock;
use raincheck_core::job::{Job, Status, Submission, submit_started};
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{RetryPolicy, Route};
use raincheck_store::model::ModelStore;
use raincheck_store::{Body, Change, Commit, Error as StoreError, Jobs, Put, Queue, StoredRequest};

use crate::backend::{Backend, upstream};
use crate::world::{World, flight, route};

fn narrow(upstream: &raincheck_core::route::Upstream) -> Vec<Route> {
    vec![Route {
        concurrency: 1,
        ..route("r", upstream)
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_goes_on_as_it_may() {
    let mut backend = Backend::new().await;
    let old = World::new(vec![Route {
        concurrency: 2,
        ..route("r", &backend.upstream)
    }]);
    let repeatable = old.submit(Method::PUT).await;
    let first = backend.call().await;
    let unsafely = old.submit(Method::POST).await;
    let second = backend.call().await;
    let queued = old.submit(Method::POST).await;
    assert_eq!(queued.status(), Status::Queued);
    let store = old.store.crash();
    let ambient = Arc::clone(&old.ambient);
    // Whatever the old one still has to say comes too late.
    first.answer(200, "", "from before").await;
    drop(second);
    let world = World::with(store, narrow(&backend.upstream), 10, ambient);
    let interrupted = world.finished(unsafely.id()).await;
    assert_eq!(interrupted.status(), Status::Failed);
    assert_eq!(interrupted.error().unwrap().code, ProblemCode::Interrupted);
    for _ in 0..2 {
        backend.call().await.answer(200, "", "from now").await;
    }
    for (id, executions) in [(repeatable.id(), 2), (queued.id(), 1)] {
        let done = world.finished(id).await;
        assert_eq!(
            (done.status(), done.executions()),
            (Status::Succeeded, executions)
        );
        assert_eq!(world.response(id).await.1, b"from now");
    }
    drop(old);
}

/// A job in the store as running, put there without a runner.
async fn running(store: &ModelStore, method: Method, retry: RetryPolicy, now: u64) -> Job {
    let route = Route {
        retry,
        ..route("r", &upstream(1))
    };
    let at = raincheck_core::time::Timestamp::from_millis(now);
    let id = raincheck_core::id::JobId::from_parts(at, [now as u8; 10]);
    let submission = Submission::to_route(id, &route, method.is_idempotent());
    let job = submit_started(submission, at).next.unwrap();
    let head = raincheck_core::head::RequestHead {
        method,
        target: "/".parse().unwrap(),
        headers: http::HeaderMap::new(),
    };
    let trailers = http::HeaderMap::new();
    let put = Put {
        job: job.clone(),
        from: None,
        fence: None,
        request: Some(Arc::new(StoredRequest {
            head,
            body: Body::EMPTY,
            trailers,
        })),
        key: None,
        response: None,
        drops_response: false,
    };
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    job
}

#[tokio::test(start_paused = true)]
async fn orphans_wait_for_a_store_that_is_full_at_first() {
    let store = ModelStore::new();
    let mut ids = Vec::new();
    for number in 0..600 {
        ids.push(
            running(&store, Method::POST, RetryPolicy::default(), number)
                .await
                .id(),
        );
    }
    let store = store.crash();
    store.fail_commits(StoreError::Full("no room".to_owned()));
    let world = World::on(store.clone(), narrow(&upstream(1)));
    tokio::time::advance(Duration::from_secs(100)).await;
    store.allow_commits();
    for id in ids {
        let job = world.finished(id).await;
        assert_eq!(job.error().unwrap().code, ProblemCode::Interrupted);
    }
    assert_eq!(store.orphans(1).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_lease_is_rescued_however_long_the_store_refuses() {
    let world = World::new(narrow(&upstream(1)));
    let job = running(&world.store, Method::POST, RetryPolicy::default(), 1).await;
    let now = world.ambient.now();
    assert!(
        world
            .store
            .lease_one(job.id(), now, now.after(Duration::from_secs(30)))
    );
    world
        .store
        .fail_commits(StoreError::Full("no room".to_owned()));
    tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_secs(95)).await;
    assert_eq!(
        world.runner.job(job.id()).await.unwrap().status(),
        Status::Processing
    );
    world.store.allow_commits();
    let rescued = world.finished(job.id()).await;
    assert_eq!(rescued.error().unwrap().code, ProblemCode::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_running_attempt_keeps_its_lease() {
    let world = World::new(narrow(&upstream(1)));
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    let mut beat = tokio::time::interval(Duration::from_secs(60));
    for _ in 0..60 {
        beat.tick().await;
    }
    assert_eq!(
        world.runner.job(id).await.unwrap().status(),
        Status::Processing
    );
    _ = ends.send(Ok(world.recorded(200, "an hour later").await));
    assert_eq!(world.finished(id).await.status(), Status::Succeeded);
}

/// The commit of the ticket itself may take longer than a lease.
#[tokio::test(start_paused = true)]
async fn a_slow_commit_keeps_its_lease() {
    let world = World::new(narrow(&upstream(1)));
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = adopted.accepted.id;
    let stalled = world.store.hold_commits();
    let runner = world.runner.clone();
    let adopting = tokio::spawn(async move { runner.adopt(adopted).await });
    world.store.until_held(1).await;
    let mut beat = tokio::time::interval(Duration::from_secs(60));
    for _ in 0..5 {
        beat.tick().await;
    }
    assert!(
        !world
            .store
            .lease_one(id, world.ambient.now(), world.ambient.now())
    );
    stalled.release();
    adopting.await.unwrap().unwrap();
    _ = ends.send(Ok(world.recorded(200, "").await));
    assert_eq!(world.finished(id).await.status(), Status::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_request_fails_its_job_alone() {
    let backend = Backend::new().await;
    let old = World::new(narrow(&backend.upstream));
    let held = old.runner.try_permit(&old.route("r")).unwrap();
    let job = old.submit(Method::POST).await;
    let ambient = Arc::clone(&old.ambient);
    let store = old.store.crash();
    // Its request refers to a file that is not there.
    let request = store.request(job.id()).await.unwrap().unwrap();
    let body = Body::File {
        id: raincheck_store::BodyId(7),
        len: 9,
    };
    let request = StoredRequest {
        body,
        ..(*request).clone()
    };
    store
        .commit(Change::Delete {
            job: job.id(),
            from: job.revision(),
        })
        .await
        .unwrap();
    let put = Put {
        job: job.clone(),
        from: None,
        fence: None,
        request: Some(Arc::new(request)),
        key: None,
        response: None,
        drops_response: false,
    };
    store.commit(Change::Put(Box::new(put))).await.unwrap();
    let world = World::with(store, narrow(&backend.upstream), 10, ambient);
    let failed = world.finished(job.id()).await;
    assert_eq!(failed.error().unwrap().code, ProblemCode::StorageDamaged);
    assert_eq!(failed.executions(), 0);
    drop(held);
}
