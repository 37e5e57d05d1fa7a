//! `DELETE {jobs}/{id}`: cancels an unfinished job, forgets a finished one. `POST {jobs}/{id}/cancel`
//! cancels, for forms, which know no DELETE.

use http::{HeaderMap, Response, StatusCode, header};
use raincheck_core::id::JobId;
use raincheck_core::navigation::navigates;
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_runner::{Error, Runner, status};

use super::status::document;
use crate::respond;

/// Cancels or forgets. A job that ends between the look and the order is forgotten by the next.
pub(crate) async fn delete(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
) -> Result<Response<Payload>, Problem> {
    match runner.cancel(id).await {
        Ok(job) => Ok(document(runner, links, &job, StatusCode::OK).await),
        Err(Error::Refused(_)) => {
            runner.forget(id).await.map_err(|error| error.problem())?;
            Ok(crate::empty(StatusCode::NO_CONTENT))
        }
        Err(error) => Err(error.problem()),
    }
}

/// Cancels an unfinished job. A browser is sent on to where the result would have been.
pub(crate) async fn cancel(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    asked: &HeaderMap,
) -> Result<Response<Payload>, Problem> {
    let job = runner.cancel(id).await;
    if !navigates(asked) {
        let job = job.map_err(|error| error.problem())?;
        return Ok(document(runner, links, &job, StatusCode::OK).await);
    }
    let job = match job {
        // It ended meanwhile, and the browser is shown how.
        Err(Error::Refused(_)) => runner.job(id).await,
        other => other,
    };
    let job = job.map_err(|error| error.problem())?;
    let mut response = crate::empty(StatusCode::SEE_OTHER);
    respond::set(&mut response, header::LOCATION, &links.result(&job));
    Ok(response)
}
