//! Results of jobs that change while they are read.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request};
use raincheck_api::{Api, Options};
use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Submission, Terms, Transition, apply, submit_started};
use raincheck_core::outcome::{Outcome, ResponseSummary};
use raincheck_core::route::{RetryPolicy, RouteTable};
use raincheck_core::time::Timestamp;
use raincheck_runner::Runner;
use raincheck_store::model::ModelStore;
use raincheck_store::{Body, Change, Commit, Put, StoredRequest, StoredResponse};
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

/// A clock that stands still, and no chance.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        NOW
    }
}

impl Entropy for Still {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn put(transition: Transition) -> Put {
    Put {
        job: transition.next.unwrap(),
        from: transition.from,
        fence: None,
        request: None,
        key: None,
        response: None,
        drops_response: transition.drops_response,
    }
}

/// A job that has succeeded.
async fn succeeded(store: &ModelStore) -> JobId {
    let id = JobId::from_parts(NOW, [1; 10]);
    let terms = Terms {
        retry: RetryPolicy::default(),
        repeatable: false,
        retention: Duration::from_secs(60),
        deadline: None,
    };
    let route = "r".parse().unwrap();
    let started = submit_started(
        Submission {
            id,
            route,
            terms,
            callback: None,
        },
        NOW,
    );
    let job = started.next.clone().unwrap();
    let head = RequestHead {
        method: http::Method::POST,
        target: "/".parse().unwrap(),
        headers: HeaderMap::new(),
    };
    let mut begun = put(started);
    begun.request = Some(Arc::new(StoredRequest {
        head,
        body: Body::EMPTY,
        trailers: HeaderMap::new(),
    }));
    store.commit(Change::Put(Box::new(begun))).await.unwrap();
    let response = ResponseSummary {
        status: 200,
        content_type: None,
        content_length: 2,
    };
    let event = Event::Settle {
        token: job.token(),
        outcome: Outcome::Answered {
            response,
            retry_after: None,
        },
        jitter: 0,
    };
    let mut ended = put(apply(&job, &event, NOW).unwrap());
    ended.response = Some(Arc::new(StoredResponse {
        head: ResponseHead {
            status: 200,
            reason: None,
            headers: HeaderMap::new(),
        },
        body: Body::Inline("ok".into()),
        trailers: HeaderMap::new(),
        attempt: 1,
    }));
    store.commit(Change::Put(Box::new(ended))).await.unwrap();
    id
}

async fn status_of_result(store: &ModelStore, id: JobId) -> u16 {
    let metrics = Arc::new(Metrics::new([].into_iter()));
    let runner = Runner::start(raincheck_runner::Options {
        store: Arc::new(store.clone()),
        upstreams: Upstreams::new(raincheck_upstreams::Options::default()).unwrap(),
        routes: Arc::new(RouteTable::new(Vec::new()).unwrap()),
        ambient: Arc::new(Still),
        metrics: Arc::clone(&metrics),
        attempts: 1,
        webhooks: None,
    });
    let options = Options {
        jobs_path: "/jobs".to_owned(),
        public_url: None,
        reload: None,
        cors: None,
    };
    let api = Api::new(runner, metrics, options);
    let request = Request::get(format!("/jobs/{id}/result"))
        .body(http_body_util::Empty::<bytes::Bytes>::new())
        .unwrap();
    api.public(request).await.status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_result_whose_job_is_forgotten_meanwhile_is_not_found_and_not_damaged() {
    let store = ModelStore::new();
    let id = succeeded(&store).await;
    assert_eq!(status_of_result(&store, id).await, 200);
    store.forget_when_read(id);
    assert_eq!(status_of_result(&store, id).await, 404);
}
