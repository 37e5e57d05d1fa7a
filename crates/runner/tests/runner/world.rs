//! A runner with its store, its clock and its routes.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use raincheck_core::ambient::{Ambient, Clock, Entropy};
use raincheck_core::head::{RequestHead, ResponseHead};
use raincheck_core::id::JobId;
use raincheck_core::job::{Job, Status};
use raincheck_core::outcome::Failure;
use raincheck_core::route::{Mode, Pattern, Route, RouteTable, Upstream};
use raincheck_core::time::Timestamp;
use raincheck_exchange::{Flight, Recorded, RequestBody};
use raincheck_runner::accept::{Accepted, Adopted};
use raincheck_runner::{Options, Runner};
use raincheck_store::model::ModelStore;
use raincheck_store::{Bodies, Jobs, StoredResponse};
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use tokio::runtime::RuntimeFlavor;
use tokio::time::Instant;

/// A clock that follows the runtime's, which may be paused, and numbers instead of chance.
pub struct Ticking {
    begun: Instant,
    number: AtomicU64,
}

impl Default for Ticking {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            number: AtomicU64::new(0),
        }
    }
}

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000).after(self.begun.elapsed())
    }
}

impl Entropy for Ticking {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.number.fetch_add(1, Relaxed).to_be_bytes();
        for (to, from) in buffer.iter_mut().rev().zip(number.iter().rev()) {
            *to = *from;
        }
    }
}

/// A runner and what it stands on.
pub struct World {
    pub store: ModelStore,
    pub runner: Runner,
    pub ambient: Arc<Ticking>,
}

impl World {
    pub fn new(routes: Vec<Route>) -> Self {
        Self::on(ModelStore::new(), routes)
    }

    pub fn on(store: ModelStore, routes: Vec<Route>) -> Self {
        Self::with(store, routes, 1_000, Arc::default())
    }

    /// With at most `attempts` in flight in all.
    pub fn with(
        store: ModelStore,
        routes: Vec<Route>,
        attempts: usize,
        ambient: Arc<Ticking>,
    ) -> Self {
        let metrics = Arc::new(Metrics::new(routes.iter().map(|route| &route.name)));
        let routes = Arc::new(RouteTable::new(routes).unwrap());
        let runner = Runner::start(Options {
            store: Arc::new(store.clone()),
            upstreams: Upstreams::new(raincheck_upstreams::Options::default()).unwrap(),
            routes,
            ambient: Arc::clone(&ambient) as Arc<dyn Ambient>,
            metrics,
            attempts,
            webhooks: None,
        });
        Self {
            store,
            runner,
            ambient,
        }
    }

    pub fn route(&self, name: &str) -> Arc<Route> {
        Arc::clone(self.runner.routes().named(&name.parse().unwrap()).unwrap())
    }

    /// A request to the first route.
    pub fn accepted(&self, method: Method, body: impl Into<Bytes>) -> Accepted {
        let route = Arc::clone(self.runner.routes().iter().next().unwrap());
        self.accepted_by(&route, method, body)
    }

    pub fn accepted_by(
        &self,
        route: &Arc<Route>,
        method: Method,
        body: impl Into<Bytes>,
    ) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("client"));
        Accepted {
            id: self.ambient.job_id(),
            route: Arc::clone(route),
            head: RequestHead {
                method,
                target: "/work?a=b".parse().unwrap(),
                headers,
            },
            body: RequestBody::Bytes(body.into()),
            trailers: HeaderMap::new(),
            key: None,
            callback: None,
        }
    }

    /// Submits a request to the first route.
    pub async fn submit(&self, method: Method) -> Job {
        soon(self.runner.submit(self.accepted(method, "question")))
            .await
            .unwrap()
    }

    /// An exchange on its way that is about to become a job.
    pub async fn adopted(&self, method: Method, flight: Flight) -> Adopted {
        let accepted = self.accepted(method, "question");
        let permit = self.runner.permit(&accepted.route).await;
        Adopted {
            accepted,
            started_at: self.ambient.now(),
            flight,
            permit,
        }
    }

    /// The job, once it is as wanted.
    pub async fn until(&self, id: JobId, wanted: impl Fn(&Job) -> bool) -> Job {
        soon(async {
            let mut watch = self.runner.watch(id);
            loop {
                let job = self.runner.job(id).await.unwrap();
                if wanted(&job) {
                    return job;
                }
                watch.changed().await;
            }
        })
        .await
    }

    pub async fn finished(&self, id: JobId) -> Job {
        self.until(id, |job| job.status().is_finished()).await
    }

    pub async fn queued(&self, id: JobId) -> Job {
        self.until(id, |job| job.status() == Status::Queued).await
    }

    /// The stored response of a job and its bytes.
    pub async fn response(&self, id: JobId) -> (Arc<StoredResponse>, Vec<u8>) {
        let response = self.store.response(id).await.unwrap().unwrap();
        let reader = self.store.open(&response.body).await.unwrap();
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < response.body.len() {
            bytes.extend_from_slice(&reader.read(bytes.len() as u64, 1 << 16).await.unwrap());
        }
        (response, bytes)
    }

    /// A complete response that is not stored yet.
    pub async fn recorded(&self, status: u16, body: &str) -> Recorded {
        let mut writer = self.store.create();
        writer
            .append(Bytes::copy_from_slice(body.as_bytes()))
            .await
            .unwrap();
        let head = ResponseHead {
            status,
            reason: None,
            headers: HeaderMap::new(),
        };
        Recorded {
            head,
            body: writer.seal().await.unwrap(),
            trailers: HeaderMap::new(),
        }
    }

    /// Drains at once.
    pub async fn stop(self) -> ModelStore {
        soon(self.runner.drain(Duration::ZERO)).await;
        self.store
    }
}

/// A flight that ends when the test says how.
pub fn flight() -> (
    tokio::sync::oneshot::Sender<Result<Recorded, Failure>>,
    Flight,
) {
    let (ends, end) = tokio::sync::oneshot::channel();
    (ends, Flight::ending(async move { end.await.unwrap() }))
}

/// A route without any time of its own.
pub fn route(name: &str, upstream: &Upstream) -> Route {
    let name = name.parse().unwrap();
    Route {
        mode: Mode::Async,
        timeout: None,
        connect_timeout: Duration::from_secs(20),
        idle_timeout: None,
        queue: 1_000,
        retention: Duration::from_secs(3_600),
        ..Route::new(name, Pattern::everything(), upstream.clone())
    }
}

/// The same for requests to one path, so that a table can hold several.
pub fn route_at(name: &str, path: &str, upstream: &Upstream) -> Route {
    Route {
        pattern: path.parse().unwrap(),
        ..route(name, upstream)
    }
}

/// Fails the test instead of hanging it. The limit is shorter than the round in which the runner
/// looks at everything, as that would hide a bell that did not ring. A paused clock leaps, so its
/// limit is days.
pub async fn soon<F: Future>(future: F) -> F::Output {
    let flavor = tokio::runtime::Handle::current().runtime_flavor();
    let limit = match flavor == RuntimeFlavor::MultiThread {
        true => Duration::from_secs(9),
        false => Duration::from_secs(1_000_000),
    };
    tokio::time::timeout(limit, future).await.unwrap()
}

impl World {
    /// Waits until so many attempts are in flight.
    pub async fn until_in_flight(&self, count: usize) {
        soon(async {
            while self.runner.in_flight() != count {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// Waits for the real clock.
    pub async fn clock_passes(&self, time: Duration) {
        let until = self.ambient.now().after(time);
        soon(async {
            while self.ambient.now() < until {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl World {
    /// The same on a paused clock, which only moves while nothing else can.
    pub async fn until_in_flight_paused(&self, count: usize) {
        let mut beat = tokio::time::interval(Duration::from_secs(1));
        while self.runner.in_flight() != count {
            beat.tick().await;
        }
    }
}
