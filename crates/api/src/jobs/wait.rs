//! Held answers: `Prefer: wait=N` or `?wait=N`, until the job is as wanted or the time is over.

use std::time::Duration;

use http::Request;
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::limits::WAIT_MAX;
use raincheck_core::prefer::{Prefer, wait_seconds};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_runner::Runner;

use crate::query;

/// How long a client is ready to wait; at most [`WAIT_MAX`].
pub(crate) fn wanted<B>(request: &Request<B>) -> Result<Duration, Problem> {
    Ok(asked(request)?.unwrap_or_default())
}

/// The same; none if it does not say.
pub(crate) fn asked<B>(request: &Request<B>) -> Result<Option<Duration>, Problem> {
    let wait = match query::value(request.uri().query(), "wait") {
        Some(text) => Some(wait_seconds(&text).ok_or_else(|| {
            let detail = "wait takes whole seconds, as in ?wait=20";
            Problem::new(ProblemCode::InvalidParameter, detail)
        })?),
        None => Prefer::from_headers(request.headers()).wait,
    };
    Ok(wait.map(|wait| wait.min(WAIT_MAX)))
}

/// The job, as soon as `enough` says so of it or after `wait`. Ends at once when the gateway
/// drains, as a held answer must not keep a process alive, and where too many wait already.
pub(crate) async fn until(
    runner: &Runner,
    id: JobId,
    wait: Duration,
    enough: impl Fn(&Job) -> bool,
) -> Result<Job, Problem> {
    let load = async || runner.job(id).await.map_err(|error| error.problem());
    if wait.is_zero() {
        return load().await;
    }
    let Some(mut watch) = runner.try_watch(id) else {
        return load().await;
    };
    let over = tokio::time::sleep(wait);
    tokio::pin!(over);
    loop {
        let job = load().await?;
        if enough(&job) || runner.is_draining() || runner.is_bequeathed() {
            return Ok(job);
        }
        tokio::select! {
            () = watch.changed() => {}
            () = &mut over => return Ok(job),
            () = runner.drain_begun() => {}
            () = runner.last_call() => {}
        }
    }
}
