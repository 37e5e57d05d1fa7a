//! One gateway process of the simulated world: the real parts, wired as the binary wires them, on
//! simulated ports, a simulated disk and a simulated clock.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::Context as _;
use http::{Request, Response};
use raincheck_api::Api;
use raincheck_config::Plan;
use raincheck_core::ambient::Ambient;
use raincheck_core::route::{RouteTable, Upstream};
use raincheck_exchange::Payload;
use raincheck_gateway::server::{Arriving, ServerHandle, ServerOptions};
use raincheck_gateway::service::{Local, Service};
use raincheck_gateway::testing::{Address, Door};
use raincheck_runner::Runner;
use raincheck_store::Store;
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use raincheck_upstreams::testing::{Dial, Dialled};

use crate::broken::Broken;
use crate::chance::Chance;
use crate::clock::Surroundings;
use crate::disk::Disk;
use crate::net::{Host, Net, Pipe, Place};

/// How long before the end of the grace period held clients get their tickets.
const LAST_CALL: Duration = Duration::from_secs(2);

/// What a process is made from.
pub struct Parts {
    /// Counted from 1.
    pub number: u32,
    /// What it is told to do.
    pub plan: Plan,
    /// Its machine.
    pub host: Host,
    /// Its network.
    pub net: Net,
    /// Its disk.
    pub disk: Arc<Disk>,
    /// Its clock and chance.
    pub surroundings: Arc<Surroundings>,
    /// Chance of its network's delays.
    pub chance: Chance,
    /// What is wrong with the world.
    pub broken: Option<Broken>,
}

/// A gateway that runs. Clones are the same.
#[derive(Clone)]
pub struct Process {
    /// Counted from 1.
    pub number: u32,
    /// Its machine.
    pub host: Host,
    /// Its disk.
    pub disk: Arc<Disk>,
    /// Its clock.
    pub surroundings: Arc<Surroundings>,
    /// Its runner.
    pub runner: Runner,
    /// Its public listener.
    pub server: ServerHandle,
}

impl Process {
    /// Starts every part on the current runtime.
    ///
    /// # Errors
    /// The plan's routes collide, or TLS cannot be set up: mistakes of a scenario.
    pub fn start(parts: Parts) -> anyhow::Result<Self> {
        let Parts {
            number,
            plan,
            host,
            net,
            disk,
            surroundings,
            chance,
            broken,
        } = parts;
        let jobs_path = plan.server.jobs_path.clone();
        let options = server_options(&plan);
        let gateway = raincheck_gateway::Options {
            jobs_path: jobs_path.clone(),
            body_idle_timeout: plan.server.body_timeout,
            requests_max: plan.limits.requests,
            ..raincheck_gateway::Options::default()
        };
        let metrics = Arc::new(Metrics::new(plan.routes.iter().map(|route| &route.name)));
        let routes = RouteTable::new(plan.routes)
            .map_err(|errors| anyhow::anyhow!("routes collide: {errors:?}"))?;
        let dialer = Dialer {
            net: net.clone(),
            host: host.clone(),
            chance,
            broken,
        };
        let upstreams = Upstreams::over(Box::new(dialer), raincheck_upstreams::Options::default())
            .context("TLS to upstreams cannot be set up")?;
        let runner = Runner::start(raincheck_runner::Options {
            store: Arc::clone(&disk) as Arc<dyn Store>,
            upstreams,
            routes: Arc::new(routes),
            ambient: Arc::clone(&surroundings) as Arc<dyn Ambient>,
            metrics: Arc::clone(&metrics),
            attempts: usize::try_from(plan.limits.concurrency).unwrap_or(usize::MAX),
            webhooks: None,
        });
        let api = raincheck_api::Options {
            jobs_path,
            public_url: None,
            reload: None,
            cors: None,
        };
        let api = Arc::new(Api::new(runner.clone(), metrics, api));
        let local: Box<dyn Local> = Box::new(JobApi(api));
        let service = Arc::new(Service::new(runner.clone(), gateway, Some(local)));
        let door = Port {
            net,
            host: host.clone(),
        };
        let here = SocketAddr::from(([10, 1, 0, 1], 8080));
        let server = raincheck_gateway::testing::start(door, here, service, options);
        Ok(Self {
            number,
            host,
            disk,
            surroundings,
            runner,
            server,
        })
    }

    /// Stops as the binary does: requests in flight and running attempts finish within `grace`,
    /// the rest is handed back.
    pub async fn stop(&self, grace: Duration) {
        let until = tokio::time::Instant::now() + grace;
        self.runner.begin_drain();
        let early = grace.saturating_sub(LAST_CALL.min(grace / 2));
        let call = async {
            tokio::time::sleep(early).await;
            self.runner.call_last();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            _ = self.server.drain(grace) => {}
            () = call => {}
        }
        self.runner.call_last();
        self.runner
            .drain(until.saturating_duration_since(tokio::time::Instant::now()))
            .await;
        // A store that failed has nothing more to say.
        _ = self.disk.close().await;
    }

    /// Ends the loops of a process whose machine is dead: what is left of it can reach nothing.
    pub async fn bury(self) {
        self.server.drain(Duration::ZERO).await;
        self.runner.drain(Duration::ZERO).await;
    }
}

fn server_options(plan: &Plan) -> ServerOptions {
    ServerOptions {
        head_timeout: plan.server.header_timeout,
        write_idle_timeout: plan.server.write_timeout,
        keep_alive_timeout: plan.server.keep_alive,
        connections_max: plan.server.max_connections,
        head_bytes_max: plan.server.max_request_head,
        ..ServerOptions::default()
    }
}

/// The job API in front of the routes.
struct JobApi(Arc<Api>);

impl Local for JobApi {
    fn claims(&self, path: &str) -> bool {
        self.0.claims(path)
    }

    fn answer(
        &self,
        request: Request<Arriving>,
    ) -> Pin<Box<dyn Future<Output = Response<Payload>> + Send + '_>> {
        Box::pin(async move { self.0.public(request).await })
    }
}

/// The public port.
struct Port {
    net: Net,
    host: Host,
}

impl Door for Port {
    type Stream = Pipe;

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Pipe, Address)>> {
        let accepted = self.net.poll_accept(Place::Gateway, &self.host, cx);
        accepted.map(|(pipe, addr)| Ok((pipe, Address::Tcp(addr))))
    }
}

/// The way to the backend.
struct Dialer {
    net: Net,
    host: Host,
    chance: Chance,
    broken: Option<Broken>,
}

impl Dial for Dialer {
    fn dial(&self, upstream: &Upstream) -> Dialled<'_> {
        let authority = upstream.authority();
        Box::pin(async move {
            tokio::time::sleep(self.chance.millis(0..=3)).await;
            self.host.going_on().await;
            let connect = || self.net.connect(&self.host, Place::Backend);
            let refused = |_| format!("connection refused by {authority}");
            let pipe = connect().map_err(refused)?;
            let doubles = self.broken == Some(Broken::SendsTwice) && self.chance.percent(50);
            let pipe = match doubles {
                true => pipe.shadowed(connect().map_err(refused)?),
                false => pipe,
            };
            Ok(Box::new(pipe) as Box<dyn raincheck_upstreams::testing::Wire>)
        })
    }
}
