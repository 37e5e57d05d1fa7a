//! The loops: sweeping, watching, starting and stopping.

use std::sync::Arc;
use std::time::Duration;

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::route::Route;
use raincheck_runner::Error;
use raincheck_store::model::ModelStore;
use raincheck_store::{Error as StoreError, Filter, Jobs, Store};

use crate::backend::{nobody, upstream};
use crate::world::{World, flight, route, soon};

#[tokio::test(start_paused = true)]
async fn finished_jobs_are_forgotten_after_their_retention() {
    let kept = Duration::from_secs(60);
    let world = World::new(vec![Route {
        retention: kept,
        ..route("r", &upstream(1))
    }]);
    let mut ids = Vec::new();
    for _ in 0..1_100 {
        let (ends, runs) = flight();
        let adopted = world.adopted(Method::POST, runs).await;
        ids.push(world.runner.adopt(adopted).await.unwrap().id());
        _ = ends.send(Ok(world.recorded(200, "x").await));
        world.finished(ids[ids.len() - 1]).await;
    }
    let mut watch = world.runner.watch(ids[0]);
    let begun = tokio::time::Instant::now();
    watch.changed().await;
    assert!(begun.elapsed() >= kept, "{:?}", begun.elapsed());
    assert!(
        begun.elapsed() <= kept + Duration::from_secs(6),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(world.runner.job(ids[0]).await, Err(Error::NotFound));
    for id in ids {
        let mut watch = world.runner.watch(id);
        while world.runner.job(id).await.is_ok() {
            watch.changed().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_fails_is_tried_again_without_haste() {
    let kept = Duration::from_secs(60);
    let world = World::new(vec![Route {
        retention: kept,
        ..route("r", &upstream(1))
    }]);
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::POST, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    _ = ends.send(Ok(world.recorded(200, "x").await));
    world.finished(id).await;
    let mut watch = world.runner.watch(id);
    world
        .store
        .fail_commits(StoreError::Full("no room".to_owned()));
    let hour = Duration::from_secs(3_600);
    assert!(tokio::time::timeout(hour, watch.changed()).await.is_err());
    world.store.allow_commits();
    watch.changed().await;
    assert_eq!(world.runner.job(id).await, Err(Error::NotFound));
}

/// Subscribe, then load: whatever happens after the load is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_watch_never_misses_a_change() {
    let world = Arc::new(World::new(vec![route("r", &upstream(1))]));
    for round in 0..500 {
        let (ends, runs) = flight();
        let adopted = world.adopted(Method::POST, runs).await;
        let id = adopted.accepted.id;
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let world = Arc::clone(&world);
                tokio::spawn(async move {
                    let mut watch = world.runner.watch(id);
                    loop {
                        match world.runner.job(id).await {
                            Ok(job) if job.status().is_finished() => return job.status(),
                            _ => watch.changed().await,
                        }
                    }
                })
            })
            .collect();
        world.runner.adopt(adopted).await.unwrap();
        let answer = world.recorded(200, "x").await;
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        _ = ends.send(Ok(answer));
        for waiting in waiting {
            assert_eq!(soon(waiting).await.unwrap(), Status::Succeeded);
        }
    }
}

/// Started and stopped at once, again and again, also with work at hand: nothing hangs, and the
/// store is not used afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn starts_and_stops() {
    let nobody = nobody().await;
    let mut store = ModelStore::new();
    let ambient: Arc<crate::world::Ticking> = Arc::default();
    for round in 0..200 {
        let routes = vec![Route {
            concurrency: 2,
            ..route("r", &nobody)
        }];
        let world = World::with(store, routes, 10, Arc::clone(&ambient));
        if round % 3 > 0 {
            world.submit(Method::PUT).await;
        }
        if round % 3 > 1 {
            let (_ends, runs) = flight();
            let adopted = world.adopted(Method::PUT, runs).await;
            soon(world.runner.adopt(adopted)).await.unwrap();
        }
        let grace = Duration::from_millis(round % 2);
        soon(world.runner.drain(grace)).await;
        soon(world.store.close()).await.unwrap();
        store = world.store.crash();
        drop(world);
        let left = store
            .list(Filter {
                limit: 500,
                ..Filter::default()
            })
            .await
            .unwrap();
        assert!(
            left.jobs
                .iter()
                .all(|job| job.status() != Status::Processing)
        );
    }
}
