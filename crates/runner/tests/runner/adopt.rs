//! An exchange on its way becomes a job: durable before its end is told, or closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{RetryPolicy, Route};
use raincheck_exchange::Flight;
use raincheck_runner::Error;
use raincheck_store::{Error as StoreError, Jobs, Queue};

use crate::backend::upstream;
use crate::world::{World, flight, route};

fn world() -> World {
    World::new(vec![Route {
        concurrency: 1,
        ..route("r", &upstream(1))
    }])
}

/// A flight that never lands, and says when it was dropped.
fn endless() -> (Arc<AtomicBool>, Flight) {
    struct Said(Arc<AtomicBool>);
    impl Drop for Said {
        fn drop(&mut self) {
            self.0.store(true, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let said = Said(Arc::clone(&dropped));
    let flight = Flight::ending(async move {
        let _said = said;
        std::future::pending().await
    });
    (dropped, flight)
}

#[tokio::test(start_paused = true)]
async fn an_end_before_the_commit_waits_for_it() {
    let world = world();
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let stalled = world.store.hold_commits();
    let adopting = tokio::spawn({
        let runner = world.runner.clone();
        async move { runner.adopt(adopted).await }
    });
    world.store.until_held(1).await;
    _ = ends.send(Ok(world.recorded(200, "early").await));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(
        !adopting.is_finished(),
        "it is told although it is not durable"
    );
    assert_eq!(world.store.commits(), 0);
    stalled.release();
    let job = adopting.await.unwrap().unwrap();
    assert_eq!(job.status(), Status::Processing);
    assert_eq!(world.finished(job.id()).await.status(), Status::Succeeded);
    assert_eq!(world.response(job.id()).await.1, b"early");
    assert_eq!(world.store.commits(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_closes_the_exchange_and_leaves_nothing() {
    let full = StoreError::Full("no room".to_owned());
    let away = StoreError::Unavailable("no disk".to_owned());
    for error in [full, away] {
        let world = world();
        world.store.fail_commits(error.clone());
        let (dropped, runs) = endless();
        let adopted = world.adopted(Method::POST, runs).await;
        let id = adopted.accepted.id;
        assert_eq!(world.runner.adopt(adopted).await, Err(Error::Store(error)));
        world.until_in_flight(0).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert!(dropped.load(SeqCst), "the exchange goes on");
        assert_eq!(world.store.job(id).await, Ok(None));
        let now = raincheck_core::ambient::Clock::now(&*world.ambient);
        assert!(
            world.store.lease_one(id, now, now),
            "the lease is still held"
        );
        assert!(
            world.runner.try_permit(&world.route("r")).is_some(),
            "the permit is still held"
        );
    }
}

/// The same for a body that needs a file and gets none.
#[tokio::test(start_paused = true)]
async fn a_spool_that_refuses_leaves_nothing_either() {
    let world = world();
    let (dropped, runs) = endless();
    let mut adopted = world.adopted(Method::POST, runs).await;
    adopted.accepted.body = raincheck_exchange::RequestBody::Bytes(vec![7; 100_000].into());
    world
        .store
        .fail_bodies(StoreError::Full("no room".to_owned()));
    assert!(world.runner.adopt(adopted).await.is_err());
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(dropped.load(SeqCst));
    assert_eq!((world.store.commits(), world.store.files()), (0, 0));
    assert!(world.runner.try_permit(&world.route("r")).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_half_way_gives_up_nothing() {
    let world = world();
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = adopted.accepted.id;
    let stalled = world.store.hold_commits();
    tokio::select! {
        biased;
        _ = world.runner.adopt(adopted) => panic!("it is held back"),
        () = world.store.until_held(1) => {}
    }
    stalled.release();
    _ = ends.send(Ok(world.recorded(200, "kept").await));
    world.until(id, |_| true).await;
    assert_eq!(world.finished(id).await.status(), Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_for_a_full_store() {
    let world = world();
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    world
        .store
        .fail_commits(StoreError::Full("no room".to_owned()));
    let begun = tokio::time::Instant::now();
    _ = ends.send(Ok(world.recorded(200, "worth the wait").await));
    // Two minutes of a full disk.
    while begun.elapsed().as_secs() < 120 {
        tokio::time::advance(std::time::Duration::from_millis(500)).await;
    }
    assert_eq!(
        world.runner.job(id).await.unwrap().status(),
        Status::Processing
    );
    assert!(
        world.runner.try_permit(&world.route("r")).is_some(),
        "the backend is done"
    );
    world.store.allow_commits();
    let done = world.finished(id).await;
    assert_eq!((done.status(), done.executions()), (Status::Succeeded, 1));
    assert_eq!(world.response(id).await.1, b"worth the wait");
    assert!(begun.elapsed().as_secs() < 130, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_full_costs_the_answer_and_not_the_job() {
    let world = world();
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::PUT, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    world
        .store
        .fail_commits(StoreError::Full("no room".to_owned()));
    _ = ends.send(Ok(world.recorded(200, "lost").await));
    world.until_in_flight_paused(0).await;
    world.store.allow_commits();
    // Nobody remembers the attempt but its lease.
    let job = world.finished(id).await;
    assert_eq!((job.attempt(), job.attempts_max()), (2, 2), "it is rescued");
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_exchange_leaks_nothing() {
    let world = world();
    let flight = Flight::ending(async { panic!("as asked by the test") });
    let adopted = world.adopted(Method::POST, flight).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    let failed = world.finished(id).await;
    assert_eq!(failed.error().unwrap().code, ProblemCode::UpstreamBroken);
    world.until_in_flight(0).await;
    assert!(world.runner.try_permit(&world.route("r")).is_some());
    let now = raincheck_core::ambient::Clock::now(&*world.ambient);
    assert!(world.store.lease_one(id, now, now));
}

#[tokio::test(start_paused = true)]
async fn an_exchange_that_failed_before_is_tried_again_as_a_job() {
    let retry = RetryPolicy {
        attempts: 2,
        ..RetryPolicy::default()
    };
    let world = World::new(vec![Route {
        retry,
        ..route("r", &upstream(1))
    }]);
    let detail = "refused".to_owned();
    let failure = Failure {
        cause: Cause::Connect,
        seen: Seen::Unreached,
        detail,
    };
    let adopted = world
        .adopted(Method::POST, Flight::landed(Err(failure)))
        .await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    let failed = world.finished(id).await;
    assert_eq!((failed.attempt(), failed.executions()), (2, 0));
}
