//! A service over the model store, and exchanges that end when a test says so.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Response};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::outcome::Failure;
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::Problem;
use raincheck_core::route::{
    Filler, HoldUntil, Keepalive, OnDisconnect, Pattern, RetryPolicy, Route, RouteTable, Scheme,
    Upstream,
};
use raincheck_core::time::Timestamp;
use raincheck_exchange::{Flight, Opened, Payload, RequestBody, ResponseBody};
use raincheck_runner::accept::Accepted;
use raincheck_runner::{Options, Runner};
use raincheck_store::model::ModelStore;
use raincheck_store::{Jobs, Queue};
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use tokio::time::Instant;

use super::super::Inner;
use crate::service::{Service, Ticketed};

/// A clock that follows the runtime's, and numbers instead of chance.
struct Ticking(Instant, AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000).after(self.0.elapsed())
    }
}

impl Entropy for Ticking {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.1.fetch_add(1, SeqCst).to_be_bytes();
        for (to, from) in buffer.iter_mut().rev().zip(number.iter().rev()) {
            *to = *from;
        }
    }
}

/// A service and what it stands on.
pub(super) struct Rig {
    pub(super) service: Service,
    pub(super) store: ModelStore,
    pub(super) route: Arc<Route>,
    /// Exchanges that have begun.
    pub(super) sent: Arc<AtomicUsize>,
    /// Exchanges that were closed before their end.
    pub(super) closed: Arc<AtomicUsize>,
}

/// What a client got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    Response(u16, Vec<u8>),
    Ticket(JobId),
    Problem(u16),
}

impl Rig {
    pub(super) fn new(hold_until: HoldUntil, on_disconnect: OnDisconnect) -> Self {
        Self::of(route(hold_until, on_disconnect))
    }

    /// With a second attempt a day later.
    pub(super) fn retrying(on_disconnect: OnDisconnect) -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self::of(Route {
            retry: RetryPolicy {
                attempts: 2,
                backoff: day,
                max_backoff: day,
                ..RetryPolicy::default()
            },
            ..route(HoldUntil::Head, on_disconnect)
        })
    }

    /// Clients that outlive their hold are kept by these bytes, every 15 s.
    pub(super) fn keeping(filler: Filler) -> Self {
        Self::of(Route {
            keepalive: Some(Keepalive {
                filler,
                interval: Duration::from_secs(15),
            }),
            ..route(HoldUntil::Head, OnDisconnect::Cancel)
        })
    }

    fn of(route: Route) -> Self {
        let store = ModelStore::new();
        let runner = Runner::start(Options {
            store: Arc::new(store.clone()),
            upstreams: Upstreams::new(raincheck_upstreams::Options::default()).unwrap(),
            routes: Arc::new(RouteTable::new(vec![route.clone()]).unwrap()),
            ambient: Arc::new(Ticking(Instant::now(), AtomicU64::new(0))),
            metrics: Arc::new(Metrics::new([&route.name].into_iter())),
            attempts: 100,
            webhooks: None,
        });
        let service = Service::new(runner, crate::Options::default(), None);
        let (sent, closed) = Default::default();
        Self {
            service,
            store,
            route: Arc::new(route),
            sent,
            closed,
        }
    }

    pub(super) fn runner(&self) -> &Runner {
        self.service.runner()
    }

    /// A request whose exchange has the head, or for `Complete` the whole, when `end` resolves.
    pub(super) fn request<E>(&self, end: E) -> Inner
    where
        E: Future<Output = Result<Opened, Failure>> + Send + 'static,
    {
        let (sent, store) = (Arc::clone(&self.sent), self.store.clone());
        let unless_ended = Closed(Arc::clone(&self.closed));
        let open = async move {
            sent.fetch_add(1, SeqCst);
            let opened = end.await;
            unless_ended.ended();
            opened
        };
        let flight = match self.route.hold_until {
            HoldUntil::Head => Flight::to_head(open),
            HoldUntil::Complete => Flight::to_end(open, raincheck_exchange::Recorder::new(&store)),
        };
        let ambient = self.runner().ambient();
        Inner {
            accepted: Accepted {
                id: ambient.job_id(),
                route: Arc::clone(&self.route),
                head: RequestHead {
                    method: Method::POST,
                    target: "/".parse().unwrap(),
                    headers: HeaderMap::new(),
                },
                body: RequestBody::Bytes(Bytes::from_static(b"question")),
                trailers: HeaderMap::new(),
                key: None,
                callback: None,
            },
            fields: None,
            started_at: ambient.now(),
            flight,
            permit: self.runner().try_permit(&self.route).unwrap(),
        }
    }

    /// The same, not yet read.
    pub(super) async fn respond(&self, inner: Inner, until: Instant) -> Response<Payload> {
        let answer = self.service.hold_flight(inner, Prefer::default(), until);
        answer.await.unwrap()
    }

    /// What the client gets when the hold ends at `until`.
    pub(super) async fn serve(&self, inner: Inner, until: Instant) -> Got {
        got(self
            .service
            .hold_flight(inner, Prefer::default(), until)
            .await)
        .await
    }

    /// The job, once it is finished.
    pub(super) async fn finished(&self, id: JobId) -> Job {
        let mut watch = self.runner().watch(id);
        loop {
            match self.runner().job(id).await {
                Ok(job) if job.status().is_finished() => return job,
                _ => watch.changed().await,
            }
        }
    }

    /// The result that a ticket leads to.
    pub(super) async fn result(&self, id: JobId) -> Got {
        let job = self.finished(id).await;
        let replayed = raincheck_runner::result::replay(self.runner(), &job)
            .await
            .unwrap();
        got(replayed.ok_or_else(|| raincheck_runner::result::problem(&job))).await
    }

    /// Waits until nothing runs, then checks that no permit and no lease is left.
    pub(super) async fn nothing_is_left(&self, id: JobId) {
        while self.runner().in_flight() > 0 {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        assert!(
            self.runner().try_permit(&self.route).is_some(),
            "a permit is held"
        );
        let now = self.runner().ambient().now();
        assert!(self.store.lease_one(id, now, now), "a lease is held");
        self.store.release(id);
    }

    pub(super) async fn is_stored(&self, id: JobId) -> bool {
        self.store.job(id).await.unwrap().is_some()
    }
}

/// Counts an exchange that is dropped before its end.
struct Closed(Arc<AtomicUsize>);

impl Closed {
    fn ended(self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

async fn got(answer: Result<Response<Payload>, Problem>) -> Got {
    let response = match answer {
        Ok(response) => response,
        Err(problem) => return Got::Problem(problem.code.status()),
    };
    if response.extensions().get::<Ticketed>().is_some() {
        let id = response.headers()["raincheck-job-id"].to_str().unwrap();
        return Got::Ticket(id.parse().unwrap());
    }
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap();
    Got::Response(status, body.to_bytes().to_vec())
}

/// A body of some pieces, perhaps with a pause before each.
struct Pieces {
    pieces: VecDeque<Bytes>,
    pauses: bool,
    paused: bool,
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.paused = self.pauses && !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.pieces.pop_front().map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// A response that says `text`, all at once or in pieces.
pub(super) fn saying(text: &str, pauses: bool) -> Opened {
    let pieces = text
        .as_bytes()
        .chunks(3)
        .map(Bytes::copy_from_slice)
        .collect();
    let pieces = Pieces {
        pieces,
        pauses,
        paused: false,
    };
    let body = ResponseBody::of(pieces, None, None).unwrap();
    let head = ResponseHead {
        status: 207,
        reason: None,
        headers: HeaderMap::new(),
    };
    Opened { head, body }
}

fn route(hold_until: HoldUntil, on_disconnect: OnDisconnect) -> Route {
    let upstream = Upstream::new(Scheme::Http, "127.0.0.1", 1);
    Route {
        hold_until,
        timeout: None,
        idle_timeout: None,
        on_disconnect,
        concurrency: 1,
        ..Route::new("r".parse().unwrap(), Pattern::everything(), upstream)
    }
}
