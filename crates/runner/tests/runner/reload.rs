//! Other routes for a runner that runs: what is in flight stays, what comes next is new.

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{Route, RouteTable};

use crate::backend::{Backend, upstream};
use crate::world::{World, route, route_at, soon};

fn table(routes: Vec<Route>) -> RouteTable {
    RouteTable::new(routes).unwrap()
}

fn narrow(upstream: &raincheck_core::route::Upstream, concurrency: u32) -> Route {
    Route {
        concurrency,
        ..route("r", upstream)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_keeps_its_route_and_the_queue_runs_under_the_new_one() {
    let (mut old, mut new) = (Backend::new().await, Backend::new().await);
    let world = World::new(vec![narrow(&old.upstream, 1)]);
    let first = world.submit(Method::POST).await;
    let call = old.call().await;
    let second = world.submit(Method::POST).await;
    assert_eq!(second.status(), Status::Queued);
    world.runner.reload(table(vec![narrow(&new.upstream, 1)]));
    assert!(!new.was_called(), "its only place is taken");
    call.answer(200, "", "of the old").await;
    let first = world.finished(first.id()).await;
    assert_eq!(world.response(first.id()).await.1, b"of the old");
    new.call().await.answer(200, "", "of the new").await;
    let second = world.finished(second.id()).await;
    assert_eq!(world.response(second.id()).await.1, b"of the new");
    assert!(!old.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn places_that_are_added_are_used_at_once() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![narrow(&backend.upstream, 1)]);
    world.submit(Method::POST).await;
    let _first = backend.call().await;
    world.submit(Method::POST).await;
    world.submit(Method::POST).await;
    world
        .runner
        .reload(table(vec![narrow(&backend.upstream, 2)]));
    let _second = backend.call().await;
    world.until_in_flight(2).await;
    assert!(!backend.was_called(), "a third is in flight");
    let client = world.runner.clone();
    let route = world.route("r");
    let waiting = tokio::spawn(async move { client.permit(&route).await });
    world
        .runner
        .reload(table(vec![narrow(&backend.upstream, 4)]));
    backend.call().await;
    soon(waiting).await.unwrap();
}

#[tokio::test]
async fn places_that_are_taken_away_are_not_given_again() {
    let world = World::new(vec![narrow(&upstream(1), 4)]);
    let take = || world.runner.try_permit(&world.route("r"));
    let mut held = vec![take().unwrap(), take().unwrap(), take().unwrap()];
    world.runner.reload(table(vec![narrow(&upstream(1), 1)]));
    assert!(take().is_none(), "the free place is gone");
    held.truncate(1);
    assert!(take().is_none(), "two were owed");
    // One of two that are added again is still held.
    world.runner.reload(table(vec![narrow(&upstream(1), 2)]));
    held.push(take().unwrap());
    assert!(take().is_none());
    world.runner.reload(table(vec![narrow(&upstream(1), 1)]));
    world.runner.reload(table(vec![narrow(&upstream(1), 2)]));
    assert!(take().is_none(), "what was owed is forgiven, not given");
    held.clear();
    held.extend([take().unwrap(), take().unwrap()]);
    assert!(take().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_route_has_permits_and_metrics_and_runs() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![route_at("a", "/a", &backend.upstream)]);
    let later = Route {
        concurrency: 1,
        ..route_at("b", "/b", &backend.upstream)
    };
    world.runner.reload(table(vec![later]));
    let b = world.route("b");
    let held = world.runner.try_permit(&b).unwrap();
    assert!(world.runner.try_permit(&b).is_none());
    assert!(world.runner.metrics().route(&b.name).is_some());
    let accepted = world.accepted_by(&b, Method::POST, "x");
    let job = soon(world.runner.submit(accepted)).await.unwrap();
    assert_eq!(job.status(), Status::Queued);
    drop(held);
    backend.call().await.answer(200, "", "").await;
    assert_eq!(world.finished(job.id()).await.status(), Status::Succeeded);
}

/// What runs ends well, what waits fails and can be retried once its route is back.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_that_wait_for_a_route_that_goes_fail() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![narrow(&backend.upstream, 1)]);
    let running = world.submit(Method::POST).await;
    let call = backend.call().await;
    let old = world.route("r");
    let waiting = world.submit(Method::POST).await;
    let other = route("other", &backend.upstream);
    world.runner.reload(table(vec![other]));
    let failed = world.finished(waiting.id()).await;
    assert_eq!(failed.status(), Status::Failed);
    assert_eq!(failed.error().unwrap().code, ProblemCode::RouteGone);
    // A request that had met the route before it went, and comes to the queue now.
    let late = world.accepted_by(&old, Method::POST, "late");
    let late = soon(world.runner.submit(late)).await.unwrap();
    let late = world.finished(late.id()).await;
    assert_eq!(late.error().unwrap().code, ProblemCode::RouteGone);
    call.answer(200, "", "").await;
    let running = world.finished(running.id()).await;
    assert_eq!(running.status(), Status::Succeeded);
    assert!(!backend.was_called());

    world
        .runner
        .reload(table(vec![narrow(&backend.upstream, 1)]));
    world.runner.retry(failed.id()).await.unwrap();
    backend.call().await.answer(200, "", "").await;
    let again = world.finished(failed.id()).await;
    assert_eq!(again.status(), Status::Succeeded);
}

/// However the places change under load, in the end there are as many as the last table says.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_place_is_lost_or_made_by_many_reloads() {
    let world = World::new(vec![narrow(&upstream(1), 3)]);
    let route = world.route("r");
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (runner, route) = (world.runner.clone(), std::sync::Arc::clone(&route));
        clients.spawn(async move {
            for _ in 0..2_000 {
                let permit = runner.permit(&route).await;
                tokio::task::yield_now().await;
                drop(permit);
            }
        });
    }
    for round in 0..1_000 {
        let concurrency = 1 + (round * 7) % 5;
        let routes = vec![narrow(&upstream(1), concurrency)];
        world.runner.reload(table(routes));
        tokio::task::yield_now().await;
    }
    soon(clients.join_all()).await;
    world.runner.reload(table(vec![narrow(&upstream(1), 3)]));
    let held: Vec<_> = (0..3).map(|_| world.runner.try_permit(&route)).collect();
    assert!(held.iter().all(Option::is_some), "a place is lost");
    assert!(world.runner.try_permit(&route).is_none(), "one too many");
}
