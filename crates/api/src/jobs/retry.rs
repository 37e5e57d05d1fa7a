//! `POST {jobs}/{id}/retry`: runs a failed, cancelled or expired job again.

use http::header;
use http::{Response, StatusCode};
use raincheck_core::id::JobId;
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_runner::{Runner, status};

use super::status::document;
use crate::respond;

/// Puts the job into the queue again.
pub(crate) async fn retry(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
) -> Result<Response<Payload>, Problem> {
    let job = runner
        .retry(id)
        .await
        .map_err(|error| error.problem().about(id))?;
    let mut response = document(runner, links, &job, StatusCode::ACCEPTED).await;
    respond::set(&mut response, header::LOCATION, &links.job(&job));
    Ok(response)
}
