//! Queued jobs: they run when it is their turn, within permits and bounds.

use std::time::Duration;

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::Route;
use raincheck_runner::Error;
use raincheck_store::Queue;

use crate::backend::Backend;
use crate::world::{World, flight, route, route_at, soon};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_and_settles() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![route("r", &backend.upstream)]);
    let job = world.submit(Method::POST).await;
    assert_eq!((job.status(), job.attempt()), (Status::Processing, 1));
    let call = backend.call().await;
    assert!(
        call.head.starts_with("POST /work?a=b HTTP/1.1\r\n"),
        "{}",
        call.head
    );
    assert_eq!(call.field("raincheck-job-id"), Some(&*job.id().to_string()));
    assert_eq!(call.field("raincheck-attempt"), Some("1"));
    assert_eq!(call.body, b"question");
    call.answer(418, "x-a: 1\r\nx-b: 2\r\nx-a: 3\r\n", "an answer")
        .await;
    let done = world.finished(job.id()).await;
    assert_eq!((done.status(), done.executions()), (Status::Succeeded, 1));
    let (response, body) = world.response(job.id()).await;
    assert_eq!((response.head.status, &body[..]), (418, &b"an answer"[..]));
    assert_eq!(response.head.reason.as_deref(), Some(&b"Said"[..]));
    let twice: Vec<_> = response.head.headers.get_all("x-a").iter().collect();
    assert_eq!(twice, ["1", "3"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_permits_of_a_route_are_never_exceeded() {
    let mut backend = Backend::new().await;
    let two = Route {
        concurrency: 2,
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![two]);
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(world.submit(Method::POST).await.id());
    }
    let mut calls = std::collections::VecDeque::from([backend.call().await, backend.call().await]);
    for left in (0..20).rev() {
        assert!(!backend.was_called(), "a third is in flight");
        assert_eq!(world.runner.in_flight(), calls.len());
        calls.pop_front().unwrap().answer(200, "", "ok").await;
        // The end of one is what lets the next one begin.
        if left >= 2 {
            calls.push_back(backend.call().await);
        } else {
            world.until_in_flight(left).await;
        }
    }
    for id in ids {
        assert_eq!(world.finished(id).await.status(), Status::Succeeded);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_total_bounds_all_routes_and_starves_none() {
    let mut backend = Backend::new().await;
    let routes = vec![
        route_at("a", "/a", &backend.upstream),
        route_at("b", "/b", &backend.upstream),
    ];
    let world = World::with(Default::default(), routes, 1, Default::default());
    let (a, b) = (world.route("a"), world.route("b"));
    let first = world.accepted_by(&a, Method::POST, "1");
    let second = world.accepted_by(&b, Method::POST, "2");
    let first = world.runner.submit(first).await.unwrap();
    let call = backend.call().await;
    let second = world.runner.submit(second).await.unwrap();
    assert_eq!(second.status(), Status::Queued);
    assert!(!backend.was_called());
    call.answer(200, "", "").await;
    assert_eq!(world.finished(first.id()).await.status(), Status::Succeeded);
    // Only the end of another route's attempt tells that there is room again.
    backend.call().await.answer(200, "", "").await;
    assert_eq!(
        world.finished(second.id()).await.status(),
        Status::Succeeded
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permit_that_a_client_gives_back_starts_the_next_job() {
    let mut backend = Backend::new().await;
    let one = Route {
        concurrency: 1,
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![one]);
    let held = world.runner.try_permit(&world.route("r")).unwrap();
    assert!(world.runner.try_permit(&world.route("r")).is_none());
    let job = world.submit(Method::POST).await;
    assert_eq!(job.status(), Status::Queued);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(!backend.was_called());
    drop(held);
    backend.call().await.answer(200, "", "").await;
    world.finished(job.id()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_and_stores_nothing() {
    let mut backend = Backend::new().await;
    let narrow = Route {
        concurrency: 1,
        queue: 2,
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![narrow]);
    world.submit(Method::POST).await;
    let call = backend.call().await;
    world.submit(Method::POST).await;
    world.submit(Method::POST).await;
    let refused = world.runner.submit(world.accepted(Method::POST, "x")).await;
    assert_eq!(
        refused,
        Err(Error::QueueFull {
            waiting: 2,
            limit: 2
        })
    );
    assert_eq!(world.store.commits(), 3);
    call.answer(200, "", "").await;
    backend.call().await;
    world.submit(Method::POST).await;
}

/// Many at once see the same queue length: the bound holds all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_does_not_overrun_the_queue() {
    let mut backend = Backend::new().await;
    let narrow = Route {
        concurrency: 1,
        queue: 5,
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![narrow]);
    world.submit(Method::POST).await;
    let call = backend.call().await;
    let held = world.store.hold_commits();
    let mut burst = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (runner, accepted) = (world.runner.clone(), world.accepted(Method::POST, "x"));
        burst.spawn(async move { runner.submit(accepted).await.is_ok() });
    }
    world.store.until_held(5).await;
    drop(held);
    let accepted = burst.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(accepted, 5);
    assert_eq!(world.store.waiting(&"r".parse().unwrap()), 5);
    drop(call);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_none_still_takes_what_can_run_at_once() {
    let mut backend = Backend::new().await;
    let none = Route {
        concurrency: 1,
        queue: 0,
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![none]);
    let job = world.submit(Method::POST).await;
    let refused = world.runner.submit(world.accepted(Method::POST, "x")).await;
    assert_eq!(
        refused,
        Err(Error::QueueFull {
            waiting: 0,
            limit: 0
        })
    );
    backend.call().await.answer(200, "", "").await;
    world.finished(job.id()).await;
}

/// Two attempts of different jobs at the same time, so that a job's place is truly its own.
#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_job_that_waits() {
    let limited = Route {
        concurrency: 1,
        deadline: Some(Duration::from_secs(60)),
        ..route("r", &crate::backend::upstream(1))
    };
    let world = World::new(vec![limited]);
    let (_ends, runs) = flight();
    let running = world.adopted(Method::POST, runs).await;
    world.runner.adopt(running).await.unwrap();
    let waiting = world.submit(Method::POST).await;
    assert_eq!(waiting.status(), Status::Queued);
    let expired = world.finished(waiting.id()).await;
    assert_eq!(expired.status(), Status::Expired);
    assert_eq!(expired.executions(), 0);
    assert_eq!(expired.error().unwrap().code, ProblemCode::JobExpired);
    let late = expired
        .finished_at()
        .unwrap()
        .since(expired.deadline().unwrap());
    assert!(late <= Duration::from_secs(5), "{late:?}");
}

/// The deadline passed in the queue while nobody looked: not a byte is sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_past_its_deadline_is_not_begun() {
    let mut backend = Backend::new().await;
    let limited = Route {
        concurrency: 1,
        deadline: Some(Duration::from_millis(1)),
        ..route("r", &backend.upstream)
    };
    let world = World::new(vec![limited]);
    let held = world.runner.try_permit(&world.route("r")).unwrap();
    let stalled = world.store.hold_commits();
    let submitting = tokio::spawn({
        let (runner, accepted) = (world.runner.clone(), world.accepted(Method::POST, "x"));
        async move { runner.submit(accepted).await.unwrap() }
    });
    world.store.until_held(1).await;
    world.clock_passes(Duration::from_millis(2)).await;
    drop((stalled, held));
    let job = world.finished(submitting.await.unwrap().id()).await;
    assert_eq!((job.status(), job.executions()), (Status::Expired, 0));
    assert!(!backend.was_called());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_route_is_gone_fails() {
    let old = World::new(vec![Route {
        concurrency: 1,
        ..route("old", &crate::backend::upstream(1))
    }]);
    let held = old.runner.try_permit(&old.route("old")).unwrap();
    let job = old.submit(Method::POST).await;
    assert_eq!(job.status(), Status::Queued);
    let ambient = std::sync::Arc::clone(&old.ambient);
    let store = old.stop().await;
    drop(held);
    let new = route("new", &crate::backend::upstream(1));
    let world = World::with(store.crash(), vec![new], 10, ambient);
    let failed = world.finished(job.id()).await;
    assert_eq!(failed.status(), Status::Failed);
    assert_eq!(failed.error().unwrap().code, ProblemCode::RouteGone);
}

/// A client that vanishes while its job is being stored leaves a job that runs all the same.
#[tokio::test(flavor = "multi_thread")]
async fn giving_up_a_submission_half_way_gives_up_nothing() {
    for concurrency in [0, 1] {
        let mut backend = Backend::new().await;
        let narrow = Route {
            concurrency: 1,
            ..route("r", &backend.upstream)
        };
        let world = World::new(vec![narrow]);
        let held = match concurrency {
            0 => world.runner.try_permit(&world.route("r")),
            _ => None,
        };
        let stalled = world.store.hold_commits();
        let accepted = world.accepted(Method::POST, "x");
        let id = accepted.id;
        tokio::select! {
            biased;
            _ = world.runner.submit(accepted) => panic!("it is held back"),
            () = world.store.until_held(1) => {}
        }
        drop((stalled, held));
        soon(backend.call()).await.answer(200, "", "").await;
        assert_eq!(world.finished(id).await.status(), Status::Succeeded);
        world.stop().await;
    }
}
