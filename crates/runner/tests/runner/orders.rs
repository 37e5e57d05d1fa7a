//! What people order: cancel, forget; at any moment, and once.

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::route::Route;
use raincheck_runner::Error;
use raincheck_store::{Jobs, Queue};

use crate::backend::{Backend, upstream};
use crate::world::{World, flight, route, soon};

#[tokio::test(flavor = "multi_thread")]
async fn cancel_closes_the_connection() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![route("r", &backend.upstream)]);
    let job = world.submit(Method::POST).await;
    let call = backend.call().await;
    let cancelled = world.runner.cancel(job.id()).await.unwrap();
    assert_eq!(cancelled.status(), Status::Cancelled);
    call.closed().await;
    world.until_in_flight(0).await;
    assert_eq!(world.runner.job(job.id()).await.unwrap(), cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_takes_a_waiting_job_out_of_the_queue() {
    let backend = Backend::new().await;
    let world = World::new(vec![Route {
        concurrency: 1,
        ..route("r", &backend.upstream)
    }]);
    let held = world.runner.try_permit(&world.route("r")).unwrap();
    let job = world.submit(Method::POST).await;
    let cancelled = world.runner.cancel(job.id()).await.unwrap();
    assert_eq!(
        (cancelled.status(), cancelled.executions()),
        (Status::Cancelled, 0)
    );
    assert_eq!(world.store.waiting(&"r".parse().unwrap()), 0);
    drop(held);
}

/// Whoever gave an order may go; what follows from it happens all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_given_up_half_way_still_closes_the_connection() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![route("r", &backend.upstream)]);
    let job = world.submit(Method::POST).await;
    let call = backend.call().await;
    let stalled = world.store.hold_commits();
    tokio::select! {
        biased;
        _ = world.runner.cancel(job.id()) => panic!("it is held back"),
        () = world.store.until_held(1) => {}
    }
    drop(stalled);
    call.closed().await;
    assert_eq!(world.finished(job.id()).await.status(), Status::Cancelled);
}

/// A cancel may come between the commit of a start and the exchange: that must not run on.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cancel_during_the_start_wins() {
    // It takes every request and answers none.
    let backend = Backend::new().await;
    let world = World::new(vec![route("r", &backend.upstream)]);
    for _ in 0..300 {
        let accepted = world.accepted(Method::POST, "x");
        let (id, runner) = (accepted.id, world.runner.clone());
        let submitting = tokio::spawn(async move { runner.submit(accepted).await });
        let cancelled = soon(async {
            loop {
                match world.runner.cancel(id).await {
                    Err(Error::NotFound) => tokio::task::yield_now().await,
                    done => break done.unwrap(),
                }
            }
        });
        assert_eq!(cancelled.await.status(), Status::Cancelled);
        soon(submitting).await.unwrap().unwrap();
        world.until_in_flight(0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cancel_and_settle_end_a_job_once() {
    let world = World::new(vec![route("r", &upstream(1))]);
    let (mut cancelled, mut succeeded) = (0, 0);
    for _ in 0..2_000 {
        let (ends, runs) = flight();
        let adopted = world.adopted(Method::POST, runs).await;
        let id = world.runner.adopt(adopted).await.unwrap().id();
        let answer = world.recorded(200, "x").await;
        let runner = world.runner.clone();
        let cancel = tokio::spawn(async move { runner.cancel(id).await });
        _ = ends.send(Ok(answer));
        let order = soon(cancel).await.unwrap();
        let done = world.finished(id).await;
        match order {
            Ok(job) => {
                assert_eq!((job.status(), &job), (Status::Cancelled, &done));
                cancelled += 1;
            }
            Err(Error::Refused(_)) => {
                assert_eq!(done.status(), Status::Succeeded);
                succeeded += 1;
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(
            world.store.response(id).await.unwrap().is_some(),
            done.response().is_some()
        );
    }
    world.until_in_flight(0).await;
    assert_eq!(world.store.commits(), 4_000, "one start and one end each");
    println!("{cancelled} cancelled, {succeeded} succeeded");
}

#[tokio::test(start_paused = true)]
async fn only_a_finished_job_is_forgotten() {
    let world = World::new(vec![route("r", &upstream(1))]);
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    assert!(matches!(
        world.runner.forget(id).await,
        Err(Error::Refused(_))
    ));
    let big = "x".repeat(100_000);
    _ = ends.send(Ok(world.recorded(200, &big).await));
    world.finished(id).await;
    assert_eq!(world.store.files(), 1);
    world.runner.forget(id).await.unwrap();
    assert_eq!(world.runner.job(id).await, Err(Error::NotFound));
    assert_eq!(world.store.files(), 0);
    assert_eq!(world.runner.forget(id).await, Err(Error::NotFound));
}
