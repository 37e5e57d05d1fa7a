//! A result that redirects to itself until it is there, for clients that follow redirects and know
//! nothing else: `?wait=N&hop=M`, as the gateway's `303` and each answer here say it.

use std::time::Duration;

use http::Request;
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::limits::WAIT_MAX;
use raincheck_core::policy::redirect;
use raincheck_core::prefer::wait_seconds;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::OnHold;
use raincheck_runner::{Runner, status};

use crate::query;

/// Which redirect of a chain the request is, if it is one.
pub(crate) fn hop<B>(request: &Request<B>) -> Result<Option<u32>, Problem> {
    let Some(text) = query::value(request.uri().query(), "hop") else {
        return Ok(None);
    };
    let hop = text.parse().ok().filter(|hop| *hop > 0);
    hop.map(Some).ok_or_else(|| {
        let detail = "hop counts redirects from 1; follow the Location as it is";
        Problem::new(ProblemCode::InvalidParameter, detail)
    })
}

/// How long it waits: as its URL says, within what the route allows a redirect; where the route is
/// gone or hands out tickets by now, within what anybody may wait.
pub(crate) async fn wait<B>(
    runner: &Runner,
    id: JobId,
    request: &Request<B>,
) -> Result<Duration, Problem> {
    let wait = query::value(request.uri().query(), "wait");
    let Some(wait) = wait.as_deref().map_or(Some(WAIT_MAX), wait_seconds) else {
        let detail = "wait takes whole seconds, as in ?wait=20";
        return Err(Problem::new(ProblemCode::InvalidParameter, detail));
    };
    let job = runner.job(id).await.map_err(|error| error.problem())?;
    let routes = runner.routes();
    let most = match routes.named(job.route()).map(|route| route.on_hold) {
        Some(OnHold::Redirect { longest }) => longest,
        Some(OnHold::Ticket) | None => WAIT_MAX,
    };
    Ok(wait.min(most))
}

/// Where the next redirect leads; none where the route is gone or hands out tickets by now.
pub(crate) fn next(runner: &Runner, links: &status::Links, job: &Job, hop: u32) -> Option<String> {
    let routes = runner.routes();
    let route = routes.named(job.route()).map(|route| &**route);
    let wait = redirect::next(route, hop)?;
    Some(links.hop(job, wait, hop.saturating_add(1)))
}
