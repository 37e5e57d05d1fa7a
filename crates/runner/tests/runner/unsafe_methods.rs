//! A request with a method that is not idempotent: sent again only if nothing of it was sent, or
//! if the route says so; and `executions` counts what the backend may have seen.

use std::time::Duration;

use http::{HeaderValue, Method};
use raincheck_core::job::{Job, Status};
use raincheck_core::route::{RetryPolicy, Route};

use crate::backend::{Backend, Call, nobody};
use crate::world::{World, route};

const ATTEMPTS: u32 = 3;

fn retry(repeat_unsafe: bool) -> RetryPolicy {
    RetryPolicy {
        attempts: ATTEMPTS,
        backoff: Duration::ZERO,
        repeat_unsafe,
        ..RetryPolicy::default()
    }
}

/// How a backend fails an exchange that reached it.
#[derive(Debug, Clone, Copy)]
enum Fails {
    Silent,
    HalfAHead,
    HalfABody,
    NoHttp,
    Late,
}

impl Fails {
    const ALL: [Self; 5] = [
        Self::Silent,
        Self::HalfAHead,
        Self::HalfABody,
        Self::NoHttp,
        Self::Late,
    ];

    /// Fails one exchange. What is late is given back, so that it stays open.
    async fn fail(self, call: Call) -> Option<Call> {
        match self {
            Self::Silent => drop(call),
            Self::HalfAHead => call.raw("HTTP/1.1 200 OK\r\nconte").await,
            Self::HalfABody => {
                let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
                call.raw(half).await;
            }
            Self::NoHttp => call.raw("SSH-2.0-OpenSSH_9.9\r\n").await,
            Self::Late => return Some(call),
        }
        None
    }
}

async fn submit(world: &World) -> Job {
    let mut accepted = world.accepted(Method::POST, "question");
    let key = HeaderValue::from_static("\"the same\"");
    accepted.head.headers.insert("idempotency-key", key);
    world.runner.submit(accepted).await.unwrap()
}

fn counts(job: &Job) -> (Status, u32, u32) {
    (job.status(), job.attempt(), job.executions())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reached_the_backend_is_sent_once() {
    let mut backend = Backend::new().await;
    for fails in Fails::ALL {
        let world = World::new(vec![Route {
            retry: retry(false),
            timeout: Some(Duration::from_millis(100)),
            ..route("r", &backend.upstream)
        }]);
        let job = submit(&world).await;
        let _late = fails.fail(backend.call().await).await;
        let done = world.finished(job.id()).await;
        assert_eq!(counts(&done), (Status::Failed, 1, 1), "{fails:?}");
        assert!(!backend.was_called(), "{fails:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_sent_again_where_the_route_says_so() {
    let mut backend = Backend::new().await;
    for fails in Fails::ALL {
        let world = World::new(vec![Route {
            retry: retry(true),
            timeout: Some(Duration::from_millis(100)),
            ..route("r", &backend.upstream)
        }]);
        let job = submit(&world).await;
        let mut late = Vec::new();
        for attempt in 1..=ATTEMPTS {
            let call = backend.call().await;
            let id = job.id().to_string();
            assert_eq!(call.field("raincheck-job-id"), Some(id.as_str()));
            assert_eq!(call.field("idempotency-key"), Some("\"the same\""));
            let number = attempt.to_string();
            assert_eq!(call.field("raincheck-attempt"), Some(number.as_str()));
            assert_eq!(call.body, b"question");
            late.extend(fails.fail(call).await);
        }
        let done = world.finished(job.id()).await;
        let all = (Status::Failed, ATTEMPTS, ATTEMPTS);
        assert_eq!(counts(&done), all, "{fails:?}");
        assert!(!backend.was_called(), "{fails:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_reached_nobody_is_sent_again_and_not_counted() {
    for allowed in [false, true] {
        let world = World::new(vec![Route {
            retry: retry(allowed),
            ..route("r", &nobody().await)
        }]);
        let job = submit(&world).await;
        let done = world.finished(job.id()).await;
        assert_eq!(counts(&done), (Status::Failed, ATTEMPTS, 0));
    }
}
