//! What a route changes: asks `core::rewrite` and carries out. Only routes that change something,
//! and requests of browsers on other origins, come by here.

pub(crate) mod client;
mod compressed;

use std::net::IpAddr;
use std::sync::Arc;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body::Body as _;
use raincheck_core::head::RequestHead;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::rewrite::access::plain_path;
use raincheck_core::rewrite::compress::{self, Wanted};
use raincheck_core::rewrite::redirect::Asked;
use raincheck_core::rewrite::{Cors, HostRule, Rewrite, cors};
use raincheck_core::route::{Route, RouteTable};
use raincheck_exchange::{Payload, answer};

use crate::host::Host;
use crate::server::Peer;
use crate::service::{Service, Ticketed};
use compressed::Compressed;

/// What the upstream is told of segments that came off the path.
const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Marks an answer that a route gives by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByItself;

/// What is to be done to an answer on its way out, whoever made it.
pub(crate) struct Edge {
    rules: Rules,
    origin: Option<HeaderValue>,
    wanted: Option<Wanted>,
}

/// Whose rules for other origins hold.
enum Rules {
    Route(Arc<Route>),
    Jobs(Arc<Cors>),
}

impl Edge {
    /// For a request to a route that changes something; none if answers stay as they are.
    pub(crate) fn of_route(route: &Arc<Route>, parts: &Parts) -> Option<Box<Self>> {
        let rewrite = route.rewrite.as_deref()?;
        let made = &rewrite.compress;
        if rewrite.cors.is_none() && made.is_empty() {
            return None;
        }
        let wanted = || compress::wanted(&parts.method, &parts.headers, made);
        Some(Box::new(Self {
            rules: Rules::Route(Arc::clone(route)),
            origin: only_origin(&parts.headers),
            wanted: (!made.is_empty()).then(wanted),
        }))
    }

    /// For a request to the job API.
    pub(crate) fn of_jobs(cors: &Arc<Cors>, headers: &HeaderMap) -> Box<Self> {
        Box::new(Self {
            rules: Rules::Jobs(Arc::clone(cors)),
            origin: only_origin(headers),
            wanted: None,
        })
    }

    /// Changes the answer.
    pub(crate) fn finish(&self, response: Response<Payload>) -> Response<Payload> {
        let mut response = match self.wanted {
            Some(wanted) => compressed(wanted, response),
            None => response,
        };
        let preflight = response.extensions().get::<Preflight>().is_some();
        if let (Some(cors), false) = (self.cors(), preflight) {
            cors.apply(self.origin.as_ref(), response.headers_mut());
        }
        response
    }

    fn cors(&self) -> Option<&Cors> {
        match &self.rules {
            Rules::Route(route) => route.rewrite.as_ref()?.cors.as_ref(),
            Rules::Jobs(cors) => Some(cors),
        }
    }
}

/// Marks the answer to a preflight, which says what it has to.
#[derive(Debug, Clone, Copy)]
struct Preflight;

/// The origin, where exactly one is named.
fn only_origin(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let origin = origins.next()?;
    origins.next().is_none().then(|| origin.clone())
}

/// The backend's answer, or a fixed one, in the coding that the client likes best.
fn compressed(wanted: Wanted, response: Response<Payload>) -> Response<Payload> {
    let ours = response.headers().contains_key(answer::ERROR)
        || response.extensions().get::<Ticketed>().is_some();
    if ours {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let len = body.size_hint().exact();
    match compress::decide(wanted, parts.status, &mut parts.headers, len) {
        Some(coding) => match Compressed::new(body, coding, len) {
            Ok(body) => Response::from_parts(parts, Payload::Changed(Box::pin(body))),
            Err(error) => {
                let detail = format!("the answer cannot be compressed: {error}");
                answer::problem(&Problem::new(ProblemCode::Internal, detail), None)
            }
        },
        None => Response::from_parts(parts, body),
    }
}

/// The answer to a preflight.
///
/// # Errors
/// The origin is not let in.
pub(crate) fn preflight(cors: &Cors, headers: &HeaderMap) -> Result<Response<Payload>, Problem> {
    let leave = cors.preflight(headers);
    if !leave.allowed {
        let detail = "this origin is not among those that `cors` lets in";
        return Err(Problem::new(ProblemCode::AccessDenied, detail));
    }
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = leave.headers;
    response.extensions_mut().insert(Preflight);
    response.extensions_mut().insert(ByItself);
    Ok(response)
}

/// The head that the upstream gets.
///
/// # Errors
/// The path could leave the prefix that the route stands for.
pub(crate) fn request_head(rewrite: &Rewrite, head: &mut RequestHead) -> Result<(), Problem> {
    if !rewrite.prefix.is_none() {
        let changed = rewrite.prefix.apply(&head.target);
        let changed = changed
            .map_err(|error| Problem::new(ProblemCode::MalformedRequest, error.to_string()))?;
        head.target = changed.target;
        if !changed.stripped.is_empty() {
            tell_prefix(&mut head.headers, &changed.stripped);
        }
    }
    match &rewrite.host {
        HostRule::Preserve => {}
        // Whichever it is in the end: a request without a host gets that of its upstream.
        HostRule::Upstream => {
            head.headers.remove(header::HOST);
        }
        HostRule::Name(host) => {
            head.headers.insert(header::HOST, host.clone());
        }
    }
    Ok(())
}

/// What came off here came after what came off in front of us.
fn tell_prefix(headers: &mut HeaderMap, stripped: &str) {
    let before = headers.get(FORWARDED_PREFIX).map(HeaderValue::as_bytes);
    let before = before.unwrap_or_default().strip_suffix(b"/");
    let all = [before.unwrap_or_default(), stripped.as_bytes()].concat();
    if let Ok(value) = HeaderValue::from_bytes(&all) {
        headers.insert(FORWARDED_PREFIX, value);
    }
}

impl Service {
    /// Refuses a client that its route does not serve, also where another spelling of its path
    /// would lead it to such a route.
    ///
    /// # Errors
    /// It is not served.
    pub(crate) fn check_access(
        &self,
        routes: &RouteTable,
        route: &Route,
        host: &str,
        parts: &Parts,
        peer: &Peer,
    ) -> Result<(), Problem> {
        let plain = plain_path(parts.uri.path());
        let same = plain
            .as_deref()
            .and_then(|path| routes.find(&parts.method, host, path));
        let asked = [Some(route), same.map(|same| &**same)];
        let rules = asked.into_iter().flatten();
        let mut rules = rules
            .filter_map(|route| route.rewrite.as_deref())
            .map(|rewrite| &rewrite.access)
            .filter(|access| !access.is_open())
            .peekable();
        if rules.peek().is_none() {
            return Ok(());
        }
        let clients: Vec<Option<IpAddr>> = self.forwarder().clients(&parts.headers, peer);
        let served = rules.all(|access| clients.iter().all(|client| access.allows(*client)));
        match served {
            true => Ok(()),
            false => Err(Problem::new(
                ProblemCode::AccessDenied,
                "this route does not serve the network of this client",
            )),
        }
    }

    /// The answer of a route that needs no upstream for this request.
    ///
    /// # Errors
    /// The redirect cannot be made.
    pub(crate) fn by_itself(
        &self,
        route: &Route,
        rewrite: &Rewrite,
        host: &str,
        parts: &Parts,
        peer: &Peer,
    ) -> Result<Option<Response<Payload>>, Problem> {
        if !rewrite.needs_no_upstream() {
            return Ok(None);
        }
        let elsewhere = match &rewrite.redirect {
            Some(redirect) => {
                let asked = self.asked(host, parts, peer)?;
                let place = redirect.location(asked.as_asked(parts));
                place.map(|place| redirected(redirect.status, &place))
            }
            None => None,
        };
        if elsewhere.is_some() {
            return Ok(elsewhere);
        }
        if let Some(fixed) = &rewrite.respond {
            let mut response = Response::new(Payload::Full(fixed.body.clone()));
            *response.status_mut() = StatusCode::from_u16(fixed.status).unwrap_or_default();
            *response.headers_mut() = fixed.fields.clone();
            response.extensions_mut().insert(ByItself);
            return Ok(Some(response));
        }
        match route.has_upstream() {
            true => Ok(None),
            false => {
                let detail = "the redirect of this route leads to where the request is already";
                Err(Problem::new(ProblemCode::LoopDetected, detail))
            }
        }
    }

    /// Where the client believes to be. Only `Host` counts: what a proxy passes on of another one may
    /// be a client's invention, and a place made of it be kept in a cache.
    fn asked(&self, host: &str, parts: &Parts, peer: &Peer) -> Result<Place, Problem> {
        if host.is_empty() {
            let detail = "there is no Host, and this route answers with a place on it";
            return Err(Problem::new(ProblemCode::MalformedRequest, detail));
        }
        let field = parts.headers.get(header::HOST).map(HeaderValue::as_bytes);
        let authority = parts.uri.authority();
        let whole = field.or(authority.map(|authority| authority.as_str().as_bytes()));
        Ok(Place {
            scheme: self.forwarder().scheme(&parts.headers, peer),
            host: host.to_owned(),
            port: whole.and_then(Host::parse).and_then(|host| host.port),
        })
    }
}

/// Where a client believes to be.
struct Place {
    scheme: &'static str,
    host: String,
    port: Option<u16>,
}

impl Place {
    fn as_asked<'a>(&'a self, parts: &'a Parts) -> Asked<'a> {
        let target = parts.uri.path_and_query();
        Asked {
            scheme: self.scheme,
            host: &self.host,
            port: self.port,
            target: target.map_or("/", |target| target.as_str()),
        }
    }
}

fn redirected(status: u16, place: &str) -> Response<Payload> {
    let mut response = Response::new(Payload::Empty);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::FOUND);
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response.extensions_mut().insert(ByItself);
    response
}

/// The route whose rules answer a preflight: that of the request it asks leave for.
pub(crate) fn asks_leave<'a>(
    routes: &'a RouteTable,
    asked: &Method,
    host: &str,
    path: &str,
) -> Option<(&'a Arc<Route>, &'a Cors)> {
    let route = routes.find(asked, host, path)?;
    let cors = route.rewrite.as_ref()?.cors.as_ref()?;
    Some((route, cors))
}

/// The method that a request asks leave for, if it is a preflight.
pub(crate) fn asked_method(parts: &Parts) -> Option<Method> {
    cors::asked_method(&parts.method, &parts.headers)
}
