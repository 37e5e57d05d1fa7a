//! The control plane: tickets, results and operators. Decides nothing: it asks the runner and shows
//! what it says.
//!
//! [`Api::public`] answers for one job whoever knows its id; [`Api::admin`] answers the operator:
//! every job, health, metrics.

mod asset;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod health;
mod jobs;
mod metrics;
pub mod openapi;
mod page;
mod paths;
mod problems;
mod query;
mod reload;
mod respond;
mod socket;
mod upstreams;

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::rewrite::Cors;
use raincheck_exchange::{Payload, answer, replay};
use raincheck_runner::Runner;
use raincheck_runner::status::Links;
use raincheck_telemetry::Metrics;

pub use reload::{Refused, Reload};

use asset::Asset;
use paths::{AdminPath, JobPath, Reserved, Resource};

/// Any error of a request body.
type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What the control plane is told from outside.
#[derive(Clone)]
pub struct Options {
    /// Where job URLs begin on the public listener: a path such as `/jobs`.
    pub jobs_path: String,
    /// Scheme and host to put before it in links; none: links are relative.
    pub public_url: Option<String>,
    /// What `POST /reload` does; none: there is nothing to load again.
    pub reload: Option<Arc<dyn Reload>>,
    /// What pages on other origins may do; none: nothing.
    pub cors: Option<Arc<Cors>>,
}

/// What `/_raincheck/client.js` is.
const CLIENT: &str = include_str!("../../../clients/javascript/raincheck.js");

/// The control plane.
pub struct Api {
    runner: Runner,
    metrics: Arc<Metrics>,
    jobs_path: String,
    links: Links,
    reload: Option<Arc<dyn Reload>>,
    sockets: socket::Sockets,
    public_document: Asset,
    admin_document: Asset,
    client: Asset,
}

impl Api {
    /// A control plane over a runner.
    pub fn new(runner: Runner, metrics: Arc<Metrics>, options: Options) -> Self {
        let Options {
            jobs_path,
            public_url,
            reload,
            cors,
        } = options;
        let public_document = openapi::public(&jobs_path, public_url.as_deref());
        let links = Links::new(public_url.unwrap_or_default() + &jobs_path);
        Self {
            public_document: Asset::json(&public_document),
            admin_document: Asset::json(&openapi::admin()),
            client: Asset::module(CLIENT),
            runner,
            metrics,
            jobs_path,
            links,
            reload,
            sockets: socket::Sockets::new(cors),
        }
    }

    /// Whether a path on the public listener belongs to the job API: its id segment is a
    /// well-formed job id, whatever follows it, or it is below `/_raincheck/`. Anything else is for
    /// the routes.
    pub fn claims(&self, path: &str) -> bool {
        paths::is_reserved(path) || paths::is_below_a_job(&self.jobs_path, path)
    }

    /// Answers on the public listener, where [`Api::claims`] said yes. Only the body of a progress
    /// report is read.
    pub async fn public<B>(&self, request: Request<B>) -> Response<Payload>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, ());
        let path = request.uri().path();
        let answered = match JobPath::parse(&self.jobs_path, path) {
            Some(JobPath {
                id,
                resource: Resource::Progress(attempt, token),
            }) if matches!(*request.method(), Method::PUT | Method::POST) => {
                jobs::progress::put(&self.runner, id, (attempt, token), body).await
            }
            Some(job) => self.job(&request, job).await,
            None => self.reserved(&request),
        };
        self.finish(answered, request.method())
    }

    fn reserved<B>(&self, request: &Request<B>) -> Result<Response<Payload>, Problem> {
        let path = request.uri().path();
        let reserved = Reserved::parse(path).ok_or_else(|| nothing_here(path))?;
        allowed(request.method(), reserved.methods())?;
        match reserved {
            Reserved::Events if socket::is_asked(request) => {
                self.sockets.open(&self.runner, &self.links, None, request)
            }
            Reserved::Events => Err(socket::required(
                "here is a WebSocket: ask with Upgrade: websocket",
            )),
            Reserved::OpenApi => Ok(self.public_document.answer(request.headers())),
            Reserved::Client => Ok(self.client.answer(request.headers())),
            Reserved::Problem(page) => problems::page(page),
        }
    }

    /// Answers on the admin listener. The body is not read.
    pub async fn admin<B>(&self, request: &Request<B>) -> Response<Payload> {
        let answered = match AdminPath::parse(request.uri().path()) {
            Some(AdminPath::Job(job)) => self.job(request, job).await,
            Some(path) => self.operator(request, path).await,
            None => Err(nothing_here(request.uri().path())),
        };
        self.finish(answered, request.method())
    }

    async fn operator<B>(
        &self,
        request: &Request<B>,
        path: AdminPath<'_>,
    ) -> Result<Response<Payload>, Problem> {
        allowed(request.method(), path.methods())?;
        match path {
            AdminPath::Index => Ok(health::index()),
            AdminPath::Jobs => jobs::list::list(&self.runner, &self.links, request.uri()).await,
            AdminPath::Live => Ok(health::live()),
            AdminPath::Ready => Ok(health::ready(&self.runner)),
            AdminPath::Upstreams => Ok(upstreams::list(&self.runner)),
            AdminPath::Metrics => Ok(metrics::scrape(&self.runner, &self.metrics).await),
            AdminPath::OpenApi => Ok(self.admin_document.answer(request.headers())),
            AdminPath::Problem(page) => problems::page(page),
            AdminPath::Reload => match &self.reload {
                Some(reload) => reload::reload(&**reload, &self.runner).await,
                None => Err(nothing_here("/reload")),
            },
            AdminPath::Job(_) => Err(nothing_here(request.uri().path())),
        }
    }

    async fn job<B>(
        &self,
        request: &Request<B>,
        path: JobPath,
    ) -> Result<Response<Payload>, Problem> {
        let JobPath { id, resource } = path;
        let (runner, links) = (&self.runner, &self.links);
        match (resource, request.method()) {
            (Resource::Job | Resource::Status, &Method::GET | &Method::HEAD) => {
                jobs::status::status(runner, links, id, request).await
            }
            (Resource::Job, &Method::DELETE) => jobs::cancel::delete(runner, links, id).await,
            (Resource::Result, &Method::GET | &Method::HEAD) => {
                jobs::result::result(runner, links, id, request).await
            }
            (Resource::Cancel, &Method::POST) => {
                jobs::cancel::cancel(runner, links, id, request.headers()).await
            }
            (Resource::Events, &Method::GET) if socket::is_asked(request) => {
                // Whoever asks for a job that is not there learns it from the answer.
                runner.job(id).await.map_err(|error| error.problem())?;
                self.sockets.open(runner, links, Some(id), request)
            }
            (Resource::Events, &Method::GET | &Method::HEAD) => {
                jobs::events::events(runner, links, id, request).await
            }
            (Resource::Retry, &Method::POST) => jobs::retry::retry(runner, links, id).await,
            (Resource::Deliveries, &Method::GET | &Method::HEAD) => {
                jobs::deliveries::list(runner, links, id).await
            }
            (Resource::Redeliver(number), &Method::POST) => {
                jobs::deliveries::redeliver(runner, links, id, number).await
            }
            (resource, _) => Err(not_allowed(resource.methods())),
        }
    }

    fn finish(
        &self,
        answered: Result<Response<Payload>, Problem>,
        method: &Method,
    ) -> Response<Payload> {
        let response = answered.unwrap_or_else(|problem| {
            let instance = problem.job.map(|id| format!("{}/{id}", self.links.base()));
            let mut response = answer::problem(&problem, instance.as_deref());
            if problem.code == ProblemCode::UpgradeRequired {
                socket::name_upgrade(response.headers_mut());
            }
            if problem.code == ProblemCode::MethodNotAllowed {
                respond::set_allow(&mut response, &problem.detail);
            }
            response
        });
        replay::fit(response, method)
    }
}

/// Whether a method is one of these, as `Allow` names them.
fn allowed(method: &Method, methods: &str) -> Result<(), Problem> {
    match methods
        .split(", ")
        .any(|allowed| allowed == method.as_str())
    {
        true => Ok(()),
        false => Err(not_allowed(methods)),
    }
}

/// The detail names the methods that are allowed; [`respond::set_allow`] reads them from it.
fn not_allowed(methods: &str) -> Problem {
    Problem::new(
        ProblemCode::MethodNotAllowed,
        format!("allowed here: {methods}"),
    )
}

fn nothing_here(path: &str) -> Problem {
    Problem::new(
        ProblemCode::RouteNotFound,
        format!("there is nothing at {path}"),
    )
}

/// An empty answer with this status.
fn empty(status: StatusCode) -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = status;
    response
}
