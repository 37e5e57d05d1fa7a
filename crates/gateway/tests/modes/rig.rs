//! A gateway without a binary: server, service, runner and model store.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::route::{Pattern, Route, RouteTable, Upstream};
use raincheck_core::time::Timestamp;
use raincheck_gateway::Options;
use raincheck_gateway::server::{Bound, Server, ServerHandle, ServerOptions};
use raincheck_gateway::service::Service;
use raincheck_runner::Runner;
use raincheck_store::model::ModelStore;
use raincheck_store::{Bodies, Jobs};
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use tokio::time::Instant;

use crate::client::Client;

struct Ticking(Instant, AtomicU64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000).after(self.0.elapsed())
    }
}

impl Entropy for Ticking {
    fn fill(&self, buffer: &mut [u8]) {
        let number = self.1.fetch_add(1, Relaxed).to_be_bytes();
        for (to, from) in buffer.iter_mut().rev().zip(number.iter().rev()) {
            *to = *from;
        }
    }
}

/// A gateway.
pub struct Rig {
    pub store: ModelStore,
    pub runner: Runner,
    server: ServerHandle,
}

impl Rig {
    pub fn new(route: Route) -> Self {
        let store = ModelStore::new();
        let runner = Runner::start(raincheck_runner::Options {
            store: Arc::new(store.clone()),
            upstreams: Upstreams::new(raincheck_upstreams::Options::default()).unwrap(),
            metrics: Arc::new(Metrics::new([&route.name].into_iter())),
            routes: Arc::new(RouteTable::new(vec![route]).unwrap()),
            ambient: Arc::new(Ticking(Instant::now(), AtomicU64::new(0))),
            attempts: 100,
            webhooks: None,
        });
        let service = Service::new(runner.clone(), Options::default(), None);
        let bound = Bound::tcp(([127, 0, 0, 1], 0).into()).unwrap();
        let server = Server::start(bound, Arc::new(service), ServerOptions::default()).unwrap();
        Self {
            store,
            runner,
            server,
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.server.address().tcp().unwrap()
    }

    pub async fn client(&self) -> Client {
        Client::new(self.addr()).await
    }

    /// The job, once it is as wanted.
    pub async fn until(&self, id: JobId, wanted: impl Fn(&Job) -> bool) -> Job {
        soon(async {
            let mut watch = self.runner.watch(id);
            loop {
                match self.runner.job(id).await {
                    Ok(job) if wanted(&job) => return job,
                    _ => watch.changed().await,
                }
            }
        })
        .await
    }

    pub async fn finished(&self, id: JobId) -> Job {
        self.until(id, |job| job.status().is_finished()).await
    }

    /// Status and body of the stored response.
    pub async fn response(&self, id: JobId) -> (u16, Vec<u8>) {
        self.finished(id).await;
        let response = self.store.response(id).await.unwrap().unwrap();
        let reader = self.store.open(&response.body).await.unwrap();
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < response.body.len() {
            bytes.extend_from_slice(&reader.read(bytes.len() as u64, 1 << 16).await.unwrap());
        }
        (response.head.status, bytes)
    }

    /// Waits until no client is connected.
    pub async fn nobody(&self) {
        soon(async {
            while self.server.connections() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// The only job in the store, once there is one.
    pub async fn only_job(&self) -> Job {
        let filter = raincheck_store::Filter {
            limit: 10,
            ..Default::default()
        };
        soon(async {
            loop {
                let jobs = self.store.list(filter.clone()).await.unwrap().jobs;
                match <[Job; 1]>::try_from(jobs) {
                    Ok([job]) => return job,
                    Err(jobs) => assert!(jobs.is_empty(), "{jobs:?}"),
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

/// An auto route with a short hold, and no other time of its own.
pub fn auto(upstream: &Upstream) -> Route {
    Route {
        hold: Duration::from_millis(100),
        timeout: None,
        connect_timeout: Duration::from_secs(20),
        idle_timeout: None,
        queue: 1_000,
        retention: Duration::from_secs(3_600),
        ..Route::new(
            "r".parse().unwrap(),
            Pattern::everything(),
            upstream.clone(),
        )
    }
}

/// The same with a hold that no test outlasts.
pub fn patient(upstream: &Upstream) -> Route {
    Route {
        hold: Duration::from_secs(600),
        ..auto(upstream)
    }
}

/// Fails the test instead of hanging it.
pub async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .unwrap()
}
