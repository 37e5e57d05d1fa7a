//! `DELETE {jobs}/{id}`: cancels an unfinished job, forgets a finished one.

use http::{Response, StatusCode};
use raincheck_core::id::JobId;
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_runner::{Error, Runner, status};

use super::status::document;

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
