//! Attempts that gave no final answer: another one, or a dead letter.

use std::time::Duration;

use http::Method;
use raincheck_core::job::Status;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::problem::ProblemCode;
use raincheck_core::route::{RetryPolicy, Route};

use crate::backend::{Backend, nobody, upstream};
use crate::world::{World, flight, route};

fn attempts(attempts: u32, backoff: Duration) -> RetryPolicy {
    RetryPolicy {
        attempts,
        backoff,
        ..RetryPolicy::default()
    }
}

const AT_ONCE: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_error_is_followed_by_another_attempt() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        retry: attempts(3, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let job = world.submit(Method::PUT).await;
    backend.call().await.answer(503, "", "not now").await;
    let second = backend.call().await;
    assert_eq!(second.field("raincheck-attempt"), Some("2"));
    assert_eq!(second.body, b"question");
    second.answer(200, "", "now").await;
    let done = world.finished(job.id()).await;
    assert_eq!(
        (done.status(), done.attempt(), done.executions()),
        (Status::Succeeded, 2, 2)
    );
    assert_eq!(world.response(job.id()).await.1, b"now");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_of_the_backend_is_obeyed() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        retry: attempts(2, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let job = world.submit(Method::PUT).await;
    let before = raincheck_core::ambient::Clock::now(&*world.ambient);
    backend
        .call()
        .await
        .answer(429, "retry-after: 3600\r\n", "")
        .await;
    let waits = world.queued(job.id()).await;
    assert!(waits.due_at().unwrap() >= before.after(Duration::from_secs(3_600)));
    world.until_in_flight(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_answer_of_a_dead_letter_is_kept() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        retry: attempts(2, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let job = world.submit(Method::PUT).await;
    backend.call().await.answer(500, "", "first").await;
    backend.call().await.answer(502, "", "last").await;
    let dead = world.finished(job.id()).await;
    assert_eq!((dead.status(), dead.executions()), (Status::Failed, 2));
    let (response, body) = world.response(job.id()).await;
    assert_eq!(
        (response.head.status, &body[..], response.attempt),
        (502, &b"last"[..], 2)
    );
    // A retry by hand gets as many attempts as a new job, and forgets the old answer.
    world.runner.retry(job.id()).await.unwrap();
    backend.call().await.answer(200, "", "good").await;
    let done = world.finished(job.id()).await;
    assert_eq!(
        (done.status(), done.attempt(), done.executions()),
        (Status::Succeeded, 3, 3)
    );
    assert_eq!(world.response(job.id()).await.1, b"good");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_seen_is_not_repeated_when_unsafe() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        retry: attempts(3, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let cut = world.submit(Method::POST).await;
    drop(backend.call().await);
    let failed = world.finished(cut.id()).await;
    assert_eq!((failed.status(), failed.executions()), (Status::Failed, 1));
    assert_eq!(failed.error().unwrap().code, ProblemCode::UpstreamBroken);
    // An answer is the answer, also a 500.
    let answered = world.submit(Method::POST).await;
    backend.call().await.answer(500, "", "no").await;
    assert_eq!(
        world.finished(answered.id()).await.status(),
        Status::Succeeded
    );
    // Half an answer is none.
    let half = world.submit(Method::POST).await;
    backend
        .call()
        .await
        .raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        .await;
    assert_eq!(
        world.finished(half.id()).await.error().unwrap().code,
        ProblemCode::UpstreamBroken
    );
    assert!(!backend.was_called());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_seen_is_repeated_whatever_the_method() {
    let world = World::new(vec![Route {
        retry: attempts(3, AT_ONCE),
        ..route("r", &nobody().await)
    }]);
    let job = world.submit(Method::POST).await;
    let failed = world.finished(job.id()).await;
    assert_eq!(
        (failed.status(), failed.attempt(), failed.executions()),
        (Status::Failed, 3, 0)
    );
    assert_eq!(
        failed.error().unwrap().code,
        ProblemCode::UpstreamUnreachable
    );
}

#[tokio::test(start_paused = true)]
async fn the_backoff_is_waited_out() {
    let retry = RetryPolicy {
        max_backoff: Duration::from_secs(600),
        ..attempts(3, Duration::from_secs(600))
    };
    let world = World::new(vec![Route {
        retry,
        ..route("r", &upstream(1))
    }]);
    let (ends, runs) = flight();
    let adopted = world.adopted(Method::PUT, runs).await;
    let id = world.runner.adopt(adopted).await.unwrap().id();
    let detail = "cut".to_owned();
    _ = ends.send(Err(Failure {
        cause: Cause::Broken,
        seen: Seen::All,
        detail,
    }));
    let waits = world.queued(id).await;
    let due = waits.due_at().unwrap();
    let next = world.until(id, |job| job.attempt() == 2).await;
    assert!(next.started_at().unwrap() >= due);
    let late = next.started_at().unwrap().since(due);
    assert!(late <= Duration::from_millis(2), "{late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_job_ends_a_running_attempt() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        deadline: Some(Duration::from_millis(200)),
        retry: attempts(5, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let job = world.submit(Method::PUT).await;
    let call = backend.call().await;
    assert!(call.field("raincheck-deadline").is_some());
    let failed = world.finished(job.id()).await;
    assert_eq!(failed.error().unwrap().code, ProblemCode::DeadlineExceeded);
    assert_eq!(failed.executions(), 1);
    call.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_of_a_route_ends_an_attempt() {
    let mut backend = Backend::new().await;
    let world = World::new(vec![Route {
        timeout: Some(Duration::from_millis(50)),
        retry: attempts(2, AT_ONCE),
        ..route("r", &backend.upstream)
    }]);
    let job = world.submit(Method::PUT).await;
    let (first, second) = (backend.call().await, backend.call().await);
    let failed = world.finished(job.id()).await;
    assert_eq!(failed.error().unwrap().code, ProblemCode::UpstreamTimeout);
    assert_eq!(failed.executions(), 2);
    first.closed().await;
    second.closed().await;
}

/// Another attempt may be due before the last one has given its lease back: it is not forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attempts_without_a_wait_follow_at_once() {
    let world = World::new(vec![Route {
        retry: attempts(2_000, AT_ONCE),
        ..route("r", &nobody().await)
    }]);
    // One alone: the bells of others would hide one that did not ring.
    let job = world.submit(Method::POST).await;
    assert_eq!(world.finished(job.id()).await.attempt(), 2_000);
}
