//! A planned stop: finish, or hand back.

use std::time::Duration;

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::Route;
use raincheck_runner::{Drained, Error};

use crate::backend::{Backend, upstream};
use crate::world::{World, flight, route, soon};

#[tokio::test(start_paused = true)]
async fn what_runs_may_finish() {
    let world = World::new(vec![route("r", &upstream(1))]);
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    let draining = tokio::spawn({
        let runner = world.runner.clone();
        async move { runner.drain(Duration::from_secs(30)).await }
    });
    world.runner.drain_begun().await;
    let refused = world.runner.submit(world.accepted(Method::POST, "x")).await;
    assert_eq!(refused, Err(Error::Draining));
    _ = ends.send(Ok(world.recorded(200, "in time").await));
    let drained = draining.await.unwrap();
    assert_eq!(
        drained,
        Drained {
            running: 1,
            handed_back: 0
        }
    );
    assert_eq!(
        world.runner.job(id).await.unwrap().status(),
        Status::Succeeded
    );
}

#[tokio::test(start_paused = true)]
async fn what_does_not_finish_is_handed_back_uncounted() {
    let world = World::new(vec![route("r", &upstream(1))]);
    let (_ends, runs) = flight();
    let safe = world.adopted(Method::PUT, runs).await;
    let safe = world.runner.adopt(safe).await.unwrap().id();
    let (_ends, runs) = flight();
    let other = world.adopted(Method::POST, runs).await;
    let other = world.runner.adopt(other).await.unwrap().id();
    let drained = world.runner.drain(Duration::from_secs(1)).await;
    assert_eq!(
        drained,
        Drained {
            running: 2,
            handed_back: 2
        }
    );
    let safe = world.runner.job(safe).await.unwrap();
    assert_eq!(
        (safe.status(), safe.attempt(), safe.executions()),
        (Status::Queued, 0, 1)
    );
    let other = world.runner.job(other).await.unwrap();
    assert_eq!(other.status(), Status::Failed);
    assert_eq!(other.error().unwrap().code, ProblemCode::Interrupted);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_any_more() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        concurrency: 1,
        ..route("r", &backend.upstream)
    }]);
    world.submit(Method::POST).await;
    let call = backend.call().await;
    let waiting = world.submit(Method::POST).await;
    world.runner.begin_drain();
    call.answer(200, "", "").await;
    soon(world.runner.drain(Duration::from_secs(20))).await;
    assert_eq!(
        world.runner.job(waiting.id()).await.unwrap().status(),
        Status::Queued
    );
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn handing_back_closes_the_connection() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![route("r", &backend.upstream)]);
    world.submit(Method::PUT).await;
    let call = backend.call().await;
    soon(world.runner.drain(Duration::ZERO)).await;
    call.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_can_be_hurried() {
    let world = World::new(vec![route("r", &upstream(1))]);
    let (_ends, runs) = flight();
    let adopted = world.adopted(Method::PUT, runs).await;
    world.runner.adopt(adopted).await.unwrap();
    let hour = world.runner.drain(Duration::from_secs(3_600));
    assert!(
        tokio::time::timeout(Duration::from_secs(1), hour)
            .await
            .is_err()
    );
    let drained = world.runner.drain(Duration::ZERO).await;
    assert_eq!(drained.handed_back, 1);
}
