//! Plan -> Options -> running parts, in order. Read this file second.

mod reach;
mod webhooks;

use std::fs::File;
use std::future::Future;
use std::io::Read as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use http::{Request, Response};
use raincheck_api::{Api, Reload};
use raincheck_config::Plan;
use raincheck_core::ambient::Ambient;
use raincheck_core::limits::STATIC_FILE_BYTES;
use raincheck_core::route::{Route, RouteTable};
use raincheck_exchange::Payload;
use raincheck_gateway::PerClient;
use raincheck_gateway::server::{Abort, Arriving, Handler, Peer, Server, ServerOptions};
use raincheck_gateway::service::{Local, Service};
use raincheck_runner::Runner;
use raincheck_store::Store;
use raincheck_store_local::{LocalStore, OpenError};
use raincheck_telemetry::{Metrics, StoreMetrics};
use raincheck_upstreams::Upstreams;

use crate::listeners::{Bounds, Listeners, Role, ServeRole, Starts, trusted};
use crate::replace::passage::Passage;

/// A gateway that runs.
pub struct Gateway {
    /// Where clients and operators come in.
    pub listeners: Arc<Listeners>,
    /// The runner.
    pub runner: Runner,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Connections that leave for a successor.
    pub passage: Passage,
}

/// A store that is open, and what it counts.
pub struct Opened {
    store: Arc<dyn Store>,
    counts: StoreMetrics,
}

/// Opens the store in a data directory.
pub fn open(path: &Path) -> Result<Opened, OpenError> {
    let options = raincheck_store_local::Options::default();
    let counts = options.metrics.clone();
    let store = Arc::new(LocalStore::open(path, options)?);
    Ok(Opened { store, counts })
}

/// Starts every part on the current runtime.
pub fn start(
    plan: Plan,
    store: Opened,
    listeners: Arc<Listeners>,
    ambient: Arc<dyn Ambient>,
    reload: Option<Arc<dyn Reload>>,
) -> anyhow::Result<Gateway> {
    let options = server_options(&plan);
    let bounds = Bounds::of(&plan);
    let attempts = attempts(&plan);
    let jobs_path = plan.server.jobs_path.clone();
    let public_url = plan.server.public_url.clone();
    let internal_url = plan.server.internal_url.clone();
    let gateway = gateway_options(&plan);
    let webhooks = webhooks::make(&plan)?;
    let Opened { store, counts } = store;
    let names = plan.routes.iter().map(|route| &route.name);
    let metrics = Arc::new(Metrics::with_store(names, &counts));
    let routes = table(plan.routes)?;
    let upstreams = Upstreams::new(raincheck_upstreams::Options::default())
        .context("TLS to upstreams cannot be set up")?;
    let runner = Runner::start(raincheck_runner::Options {
        store: Arc::clone(&store),
        upstreams,
        routes: Arc::new(routes),
        ambient,
        metrics: Arc::clone(&metrics),
        attempts,
        webhooks,
    });
    if let Some(base) = reach::base(internal_url, listeners.first_tcp()) {
        runner.reports_at(base + &jobs_path);
    }
    let api = raincheck_api::Options {
        jobs_path,
        public_url,
        reload,
        cors: gateway.cors.clone(),
    };
    let api = Arc::new(Api::new(runner.clone(), Arc::clone(&metrics), api));
    let local: Box<dyn Local> = Box::new(JobApi(Arc::clone(&api)));
    let service = Arc::new(Service::new(runner.clone(), gateway, Some(local)));
    let starts = Starts {
        server: serve(Arc::clone(&service), Arc::new(Admin(api)), options),
        metrics,
        per_client: PerClient::new(None),
        service,
    };
    listeners.start(starts, &bounds)?;
    Ok(Gateway {
        passage: Passage::default(),
        listeners,
        runner,
        store,
    })
}

/// How listeners are served, by whom they are for.
fn serve(service: Arc<Service>, admin: Arc<Admin>, options: ServerOptions) -> ServeRole {
    Box::new(move |role, bound, front| {
        let options = options.clone();
        match role {
            Role::Public => Server::start_behind(bound, front, Arc::clone(&service), options),
            Role::Admin => Server::start_behind(bound, front, Arc::clone(&admin), options),
        }
    })
}

/// Attempts in flight at most, over all routes.
pub fn attempts(plan: &Plan) -> usize {
    usize::try_from(plan.limits.concurrency).unwrap_or(usize::MAX)
}

/// The table of a plan's routes, with the files they answer with. Reads these files.
pub fn table(mut routes: Vec<Route>) -> anyhow::Result<RouteTable> {
    for route in &mut routes {
        read_file(route).with_context(|| format!("route '{}' cannot answer", route.name))?;
    }
    RouteTable::new(routes)
        .map_err(|errors| anyhow::anyhow!("routes that passed the check collide: {errors:?}"))
}

/// Reads the file that a route answers with, if there is one.
fn read_file(route: &mut Route) -> anyhow::Result<()> {
    let rewrite = route.rewrite.as_deref_mut();
    let Some(respond) = rewrite.and_then(|rewrite| rewrite.respond.as_mut()) else {
        return Ok(());
    };
    let Some(path) = &respond.file else {
        return Ok(());
    };
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut body = Vec::new();
    file.take(STATIC_FILE_BYTES + 1)
        .read_to_end(&mut body)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if body.len() as u64 > STATIC_FILE_BYTES {
        anyhow::bail!(
            "{} is larger than {STATIC_FILE_BYTES} bytes; a file server does this better",
            path.display()
        );
    }
    respond.body = body.into();
    Ok(())
}

fn gateway_options(plan: &Plan) -> raincheck_gateway::Options {
    raincheck_gateway::Options {
        jobs_path: plan.server.jobs_path.clone(),
        public_url: plan.server.public_url.clone(),
        trusted_proxies: trusted(&plan.server.trusted_proxies),
        body_idle_timeout: plan.server.body_timeout,
        requests_max: plan.limits.requests,
        cors: plan.server.cors.clone().map(Arc::new),
    }
}

fn server_options(plan: &Plan) -> ServerOptions {
    ServerOptions {
        head_timeout: plan.server.header_timeout,
        handshake_timeout: plan.server.handshake_timeout,
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

/// The admin listener.
struct Admin(Arc<Api>);

impl Handler for Admin {
    type Body = Payload;

    async fn handle(
        &self,
        request: Request<Arriving>,
        _peer: Arc<Peer>,
    ) -> Result<Response<Payload>, Abort> {
        Ok(self.0.admin(&request).await)
    }
}
