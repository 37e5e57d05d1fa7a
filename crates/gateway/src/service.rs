//! One request: checked, matched with a route, served in its mode. Read this file first.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use raincheck_core::key::BodyDigest;
use raincheck_core::outcome::Failure;
use raincheck_core::policy::hold::{Plan, plan};
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::rate::Rate;
use raincheck_core::route::{KeyUse, Mode, Route, RouteTable};
use raincheck_exchange::upgrade::Asked;
use raincheck_exchange::{Payload, answer, replay};
use raincheck_runner::Runner;
use raincheck_runner::status::Links;
use raincheck_telemetry::Answer;
use tokio::time::Instant;

use crate::clients::Clients;
use crate::dedup::{self, Beginners, Wait};
use crate::holding::Holding;
use crate::intake;
use crate::load::{Admitted, Load};
use crate::options::Options;
use crate::rewrite::{ByItself, Edge};
use crate::server::{Abort, Arriving, Handler, Peer};
use crate::{check, forward, keepalive, origin, refusals, rewrite, upgrade};

/// Requests that are answered here and not by a route: the job API, put in front by the binary.
pub trait Local: Send + Sync + 'static {
    /// Whether a request for this path is its business.
    fn claims(&self, path: &str) -> bool;

    /// Answers it.
    fn answer(
        &self,
        request: Request<Arriving>,
    ) -> Pin<Box<dyn Future<Output = Response<Payload>> + Send + '_>>;
}

/// The data plane's handler.
pub struct Service {
    runner: Runner,
    options: Options,
    local: Option<Box<dyn Local>>,
    forwarder: forward::Forwarder,
    links: Links,
    clients: Clients,
    load: Arc<Load>,
    beginners: Beginners,
}

impl Service {
    /// A service of the runner's routes.
    pub fn new(runner: Runner, options: Options, local: Option<Box<dyn Local>>) -> Self {
        let base = options.public_url.clone().unwrap_or_default() + &options.jobs_path;
        let forwarder = forward::Forwarder::new(
            options.trusted_proxies.clone(),
            Arc::clone(runner.ambient()),
        );
        let load = Load::new(options.requests_max, runner.metrics().requests().clone());
        Self {
            runner,
            local,
            load,
            forwarder,
            links: Links::new(base),
            clients: Clients::default(),
            beginners: Beginners::default(),
            options,
        }
    }

    pub(crate) fn runner(&self) -> &Runner {
        &self.runner
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn beginners(&self) -> &Beginners {
        &self.beginners
    }

    pub(crate) fn forwarder(&self) -> &forward::Forwarder {
        &self.forwarder
    }

    pub(crate) fn links(&self) -> Links {
        self.links.clone()
    }

    /// Counts a request for the routes, or sheds it. The job API is for whoever waits already.
    fn admit(&self, path: &str) -> Result<Option<Admitted>, Problem> {
        let local = self.local.as_ref();
        match local.is_some_and(|local| local.claims(path)) {
            true => Ok(None),
            false => self.load.admit().map(Some),
        }
    }

    /// Answers a request. What is to be done to any answer to it on its way out comes in `edge`.
    async fn serve(
        &self,
        request: Request<Arriving>,
        peer: Arc<Peer>,
        edge: &mut Option<Box<Edge>>,
    ) -> Result<Response<Payload>, Problem> {
        let came = Instant::now();
        let (parts, incoming) = request.into_parts();
        let host = check::check_head(&parts)?;
        if let Some(local) = &self.local
            && local.claims(parts.uri.path())
        {
            let _visit = self.runner.visit();
            return self.answer_locally(&**local, parts, incoming, edge).await;
        }
        let routes = self.runner.routes();
        if parts.method == Method::OPTIONS
            && let Some(leave) = self.leave(&routes, &host, &parts, &peer)
        {
            return leave;
        }
        let route = route(&routes, &parts, &host)?;
        *edge = Edge::of_route(&route, &parts);
        let answer = match routes.is_guarded() {
            true => self.check_access(&routes, &route, &host, &parts, &peer),
            false => Ok(()),
        };
        drop(routes);
        let answer = match (answer, &route.rewrite) {
            (Err(problem), _) => Err(problem),
            (Ok(()), None) => self.in_mode(&route, parts, incoming, peer, came).await,
            (Ok(()), Some(rewrite)) => {
                match self.by_itself(&route, rewrite, &host, &parts, &peer) {
                    Ok(Some(answer)) => Ok(answer),
                    Ok(None) => self.in_mode(&route, parts, incoming, peer, came).await,
                    Err(problem) => Err(problem),
                }
            }
        };
        let status = answer.as_ref().map_or_else(
            |problem| problem.code.status(),
            |response| response.status().as_u16(),
        );
        if let Some(metrics) = self.runner.metrics().route(&route.name) {
            metrics.answer(kind(&answer), status, came.elapsed());
        }
        answer
    }

    /// The job API's answer, also to browsers on other origins.
    async fn answer_locally(
        &self,
        local: &dyn Local,
        parts: Parts,
        incoming: Arriving,
        edge: &mut Option<Box<Edge>>,
    ) -> Result<Response<Payload>, Problem> {
        if let Some(cors) = &self.options.cors {
            *edge = Some(Edge::of_jobs(cors, &parts.headers));
            if rewrite::asked_method(&parts).is_some() {
                return rewrite::preflight(cors, &parts.headers);
            }
        }
        Ok(local.answer(Request::from_parts(parts, incoming)).await)
    }

    /// The answer to a preflight of a route that has rules for other origins.
    fn leave(
        &self,
        routes: &RouteTable,
        host: &str,
        parts: &Parts,
        peer: &Peer,
    ) -> Option<Result<Response<Payload>, Problem>> {
        let asked = rewrite::asked_method(parts)?;
        let (route, cors) = rewrite::asks_leave(routes, &asked, host, parts.uri.path())?;
        let served = self.check_access(routes, route, host, parts, peer);
        Some(served.and_then(|()| rewrite::preflight(cors, &parts.headers)))
    }

    /// Refuses what would have nowhere to go, before its body is read. What is queued can wait.
    pub(crate) fn check_upstream(&self, route: &Route) -> Result<(), Problem> {
        let ready = self.runner.upstreams().ready(&route.upstream);
        ready.map_err(|wait| {
            let detail = format!("no server of {} can be used now", route.upstream.name());
            Problem::new(ProblemCode::NoUpstream, detail).retry_after(wait)
        })
    }

    /// Changes how often one client may ask, over all routes.
    pub fn set_client_rate(&self, rate: Option<Rate>) {
        self.clients.set_overall(rate);
    }

    /// Changes how many requests may be in flight, over all routes.
    pub fn set_requests_max(&self, max: usize) {
        self.load.set_max(max);
    }

    /// Refuses a client that asks too often, before anything is read or stored.
    fn check_rate(&self, route: &Route, parts: &Parts, peer: &Peer) -> Result<(), Problem> {
        let client = origin::client(&parts.headers, peer, &self.options.trusted_proxies);
        // Those who cannot be told apart are one client.
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let taken = self.clients.take(client, &route.name, route.rate);
        taken.map_err(|early| {
            let Rate { count, per } = early.rate;
            let detail = format!(
                "one client may send {count} requests in {} s",
                per.as_secs()
            );
            let problem = Problem::new(ProblemCode::RateLimited, detail);
            problem.retry_after(early.after).beyond(early.rate)
        })
    }

    /// The answer to a reader of events that goes on where it was, by an id that it was given here.
    async fn returning(
        &self,
        route: &Route,
        asked: &HeaderMap,
        came: Instant,
        plan: Plan,
    ) -> Option<Result<Response<Payload>, Problem>> {
        if let Some((keepalive, known)) = keepalive::known_again(route, asked) {
            return Some(self.come_again(route, keepalive, known).await);
        }
        match route.resume {
            true => self.rejoin(route, asked, came, plan).await,
            false => None,
        }
    }

    async fn in_mode(
        &self,
        route: &Arc<Route>,
        mut parts: Parts,
        incoming: Arriving,
        peer: Arc<Peer>,
        came: Instant,
    ) -> Result<Response<Payload>, Problem> {
        let prefer = preferred(route, &parts.headers);
        if self.clients.is_on(route.rate) {
            self.check_rate(route, &parts, &peer)?;
        }
        if let Some(asked) = parts.extensions.remove::<Asked>() {
            return Box::pin(self.tunnel(route, asked, parts, incoming, &peer)).await;
        }
        let plan = plan(route, prefer);
        if (route.resume || route.keepalive.is_some())
            && let Some(answer) = Box::pin(self.returning(route, &parts.headers, came, plan)).await
        {
            return answer;
        }
        let mut head = self.forwarder.request_head(parts, &peer)?;
        let findable = match route.mode {
            Mode::Sync if !route.resume && route.duplicates.key != KeyUse::Required => None,
            _ => dedup::findable(route, &head.headers)?,
        };
        if let Some(rewrite) = &route.rewrite {
            rewrite::request_head(rewrite, &mut head)?;
        }
        // A repetition may have its answer without any backend.
        if !matches!(plan, Plan::Queue(_)) && (findable.is_none() || plan == Plan::Relay) {
            self.check_upstream(route)?;
        }
        let (hold, queued) = match plan {
            Plan::Relay => return self.relay(route, head, incoming).await,
            Plan::Hold(hold) => (hold, false),
            Plan::Queue(wait) => (wait, true),
        };
        let mut digest = findable.as_ref().map(|_| BodyDigest::default());
        // Until the request is a job, or on its way without one.
        let visit = self.runner.visit();
        let bodies = &**self.runner.store();
        let (limit, options) = (route.max_request, &self.options);
        let whole = intake::take(incoming, limit, options, bodies, digest.as_mut()).await?;
        let accepted = self.accepted(route, head, whole).await?;
        let until = came + hold;
        let prefer = prefer.confirmed(route.hold);
        if let (Some(findable), Some(digest)) = (findable, digest) {
            let claim = findable.claim(&accepted, digest);
            let wait = Wait {
                prefer,
                until,
                queued,
            };
            return Box::pin(self.findable(accepted, claim, wait)).await;
        }
        match queued {
            // Boxed, so that it does not make every other request's future larger.
            true => Box::pin(self.queue(accepted, prefer, until)).await,
            false => {
                drop(visit);
                self.hold(accepted, prefer, until).await
            }
        }
    }
}

/// What a client prefers, where that means something.
fn preferred(route: &Route, headers: &HeaderMap) -> Prefer {
    match route.mode {
        Mode::Sync => Prefer::default(),
        Mode::Auto | Mode::Async => Prefer::from_headers(headers),
    }
}

/// The route that takes the request.
fn route(routes: &RouteTable, parts: &Parts, host: &str) -> Result<Arc<Route>, Problem> {
    let found = routes.find(&parts.method, host, parts.uri.path());
    found.cloned().ok_or_else(|| {
        let detail = format!("no route takes {} {}", parts.method, parts.uri.path());
        Problem::new(ProblemCode::RouteNotFound, detail)
    })
}

impl Handler for Service {
    type Body = Holding<Payload, Option<Admitted>>;

    async fn handle(
        &self,
        mut request: Request<Arriving>,
        peer: Arc<Peer>,
    ) -> Result<Response<Self::Body>, Abort> {
        let unfolded = upgrade::unfold(&mut request, &**self.runner.ambient());
        let method = request.method().clone();
        let above_guard = (request.version() == Version::HTTP_2).then(|| peer.clone());
        let mut edge = None;
        let (admitted, mut answered) = match self.admit(request.uri().path()) {
            Ok(admitted) => (admitted, self.serve(request, peer, &mut edge).await),
            Err(problem) => {
                refusals::say(&peer, problem.code, &problem.detail);
                (None, Err(problem))
            }
        };
        if let Some(key) = unfolded {
            answered = answered.and_then(|response| upgrade::fold(response, &key));
        }
        let mut response = answered.unwrap_or_else(|problem| {
            self.runner.metrics().problem(problem.code);
            if let Some(peer) = above_guard
                && check::refuses(problem.code)
            {
                refusals::say(&peer, problem.code, &problem.detail);
            }
            let instance = problem.job.map(|id| format!("{}/{id}", self.links.base()));
            answer::problem(&problem, instance.as_deref())
        });
        if let Some(edge) = edge {
            response = edge.finish(response);
        }
        let response = replay::fit(response, &method);
        Ok(response.map(|payload| Holding::new(payload, admitted)))
    }

    fn refused(&self, problem: ProblemCode) {
        self.runner.metrics().problem(problem);
    }
}

/// What kind of answer it is, by what it says of itself.
fn kind(answer: &Result<Response<Payload>, Problem>) -> Answer {
    match answer {
        Err(_) => Answer::Problem,
        Ok(response) if response.extensions().get::<Ticketed>().is_some() => Answer::Ticket,
        Ok(response) if response.extensions().get::<ByItself>().is_some() => Answer::Fixed,
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => Answer::Relayed,
        Ok(response) => match response.body() {
            Payload::Relay(_) | Payload::Followed(_) => Answer::Relayed,
            _ => Answer::Replayed,
        },
    }
}

/// Marks a ticket on its way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ticketed;

/// What a client is told of an exchange that failed. `repeatable`: the backend may see the request
/// twice.
pub(crate) fn failed(failure: &Failure, repeatable: bool) -> Problem {
    let code = failure.cause.problem();
    let problem = Problem::new(code, &failure.detail);
    let problem = match code.retryable() && code.status() == 503 {
        true => problem.retry_after(std::time::Duration::from_secs(5)),
        false => problem,
    };
    problem.after(failure.seen.maybe(), repeatable)
}
