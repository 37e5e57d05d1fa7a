//! The total time and the size limit of a response.

use std::time::Duration;

use http::Extensions;
use http_body::Body as _;
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::{Scheme, Upstream};
use raincheck_exchange::open::{Bounds, open};
use raincheck_exchange::payload::Relay;
use raincheck_exchange::{Outbound, Payload, ResponseBody};
use raincheck_store::model::ModelStore;
use raincheck_upstreams::{OutBody, Until, Upstreams};
use tokio::time::Instant;

use crate::script::{Script, Step, bytes};

const LIMIT: Duration = Duration::from_secs(10);

fn timeouts(means: Cause) -> Timeouts {
    let connect = Duration::from_secs(100);
    Timeouts {
        connect,
        idle: None,
        total: Some(LIMIT),
        total_means: means,
    }
}

fn body(
    steps: Vec<Step>,
    until: Option<(Instant, Timeouts)>,
    max: Option<u64>,
) -> Result<ResponseBody, Failure> {
    let script = Script {
        steps: steps.into(),
        store: ModelStore::new(),
    };
    let until = until.map(|(at, timeouts)| (Until::new(at, &Extensions::new()), timeouts));
    ResponseBody::of(script, until, max)
}

#[tokio::test(start_paused = true)]
async fn a_body_that_takes_too_long_fails_at_its_time_and_stays_failed() {
    for means in [Cause::Timeout, Cause::Deadline] {
        let begun = Instant::now();
        let steps = vec![Step::Bytes(bytes(5)), Step::Hang];
        let mut body = body(steps, Some((begun + LIMIT, timeouts(means))), None).unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        let failure = body.frame().await.unwrap().unwrap_err();
        assert_eq!((failure.cause, failure.seen), (means, Seen::Answering));
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(body.frame().await.unwrap().unwrap_err(), failure);
        assert!(!body.is_end_stream());
    }
}

/// A backend that always has something to say is not heard for ever either.
#[tokio::test(start_paused = true)]
async fn a_body_that_never_pauses_fails_too() {
    let until = Instant::now() + LIMIT;
    let steps = vec![Step::Bytes(bytes(5)); 100];
    let mut body = body(steps, Some((until, timeouts(Cause::Timeout))), None).unwrap();
    assert!(body.frame().await.unwrap().is_ok());
    tokio::time::advance(LIMIT + Duration::from_millis(1)).await;
    assert_eq!(
        body.frame().await.unwrap().unwrap_err().cause,
        Cause::Timeout
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_fails_at_the_first_byte_too_many() {
    let steps = || {
        vec![
            Step::Bytes(bytes(5)),
            Step::Bytes(bytes(5)),
            Step::Bytes(bytes(0)),
        ]
    };
    let all = body(steps(), None, Some(10))
        .unwrap()
        .collect()
        .await
        .unwrap();
    assert_eq!(all.to_bytes().len(), 10);
    let mut cut = body(steps(), None, Some(9)).unwrap();
    assert!(cut.frame().await.unwrap().is_ok());
    let failure = cut.frame().await.unwrap().unwrap_err();
    assert_eq!(failure.cause, Cause::TooLarge);
    assert_eq!(cut.frame().await.unwrap().unwrap_err(), failure);
}

/// The total time counts from the request on: here the connection is never answered.
#[tokio::test(start_paused = true)]
async fn a_head_that_takes_too_long_fails_at_its_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let upstream = Upstream::new(Scheme::Http, "127.0.0.1", port);
    let pool = Upstreams::new(raincheck_upstreams::Options::default()).unwrap();
    let time = raincheck_core::time::Timestamp::from_millis(1);
    let job = raincheck_core::id::JobId::from_parts(time, [1; 10]);
    let head = raincheck_core::head::RequestHead {
        method: http::Method::GET,
        target: "/".parse().unwrap(),
        headers: http::HeaderMap::new(),
    };
    let request = Outbound {
        job,
        attempt: 1,
        deadline: None,
        progress: None,
    }
    .request(head, OutBody::Empty);
    let bounds = Bounds {
        timeouts: timeouts(Cause::Timeout),
        max_response: None,
        attended: Duration::ZERO,
    };
    let begun = Instant::now();
    let failure = open(&pool, &upstream.into(), request, bounds)
        .await
        .err()
        .unwrap();
    assert_eq!(
        (failure.cause, failure.seen),
        (Cause::Timeout, Seen::Unknown)
    );
    assert_eq!(begun.elapsed().as_secs(), 10);
}

/// A download takes as long as its client takes; only the backend's silence counts.
#[tokio::test(start_paused = true)]
async fn a_slow_client_does_not_use_up_the_backends_time() {
    let until = Some((Instant::now() + LIMIT, timeouts(Cause::Timeout)));
    let mut steps: Vec<Step> = (0..5).map(|_| Step::Bytes(bytes(5))).collect();
    steps.push(Step::Hang);
    let mut relay = Payload::Relay(Box::new(Relay::new(body(steps, until, None).unwrap())));
    for _ in 0..5 {
        assert!(relay.frame().await.unwrap().is_ok());
        tokio::time::advance(LIMIT * 2).await;
    }
    let begun = Instant::now();
    assert!(relay.frame().await.unwrap().is_err());
    assert_eq!(
        begun.elapsed(),
        LIMIT,
        "the whole of its time was left to it"
    );
}

/// What is kept with a body goes with it, not before.
#[tokio::test]
async fn a_guard_lives_as_long_as_its_body() {
    let guard = std::sync::Arc::new(());
    let mut body = body(vec![Step::Bytes(bytes(5))], None, None).unwrap();
    body.attach(std::sync::Arc::clone(&guard));
    while body.frame().await.is_some() {}
    assert_eq!(std::sync::Arc::strong_count(&guard), 2);
    drop(body);
    assert_eq!(std::sync::Arc::strong_count(&guard), 1);
}
