//! `{jobs}/{id}/deliveries`: how the job's caller is told of its end; and once more, if asked for.

use http::{Response, StatusCode};
use raincheck_core::callback::{Callback, Delivery, Try, TryOutcome};
use raincheck_core::egress::Target;
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Runner, status};
use serde_json::{Value, json};

use crate::respond;

/// `GET {jobs}/{id}/deliveries`.
pub(crate) async fn list(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
) -> Result<Response<Payload>, Problem> {
    let job = runner.job(id).await;
    let job = job.map_err(|error| error.problem().about(id))?;
    Ok(document(links, &job, StatusCode::OK))
}

/// `POST {jobs}/{id}/deliveries/{number}/redeliver`.
pub(crate) async fn redeliver(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    number: u32,
) -> Result<Response<Payload>, Problem> {
    let job = runner.job(id).await;
    let job = job.map_err(|error| error.problem().about(id))?;
    let has = |callback: &Callback| callback.deliveries.iter().any(|own| own.number == number);
    if !job.callback().is_some_and(has) {
        let detail = format!("the job has no delivery {number}");
        return Err(Problem::new(ProblemCode::DeliveryNotFound, detail).about(id));
    }
    let job = runner.redeliver(id, number).await;
    let job = job.map_err(|error| error.problem().about(id))?;
    Ok(document(links, &job, StatusCode::ACCEPTED))
}

fn document(links: &status::Links, job: &Job, status: StatusCode) -> Response<Payload> {
    let callback = job.callback();
    let target = callback.and_then(|callback| Target::parse(&callback.url).ok());
    let deliveries = callback.map_or(&[][..], |callback| &callback.deliveries);
    let all: Vec<Value> = deliveries
        .iter()
        .map(|own| shown(links, job, own))
        .collect();
    let document = json!({
        "job_id": job.id().to_string(),
        "url": target.map(|target| target.shown()),
        "deliveries": all,
    });
    let mut response = answer::json(status, &document);
    respond::set(&mut response, JOB_ID, &job.id().to_string());
    response
}

fn shown(links: &status::Links, job: &Job, delivery: &Delivery) -> Value {
    json!({
        "number": delivery.number,
        "webhook_id": delivery.webhook_id(job.id()),
        "status": delivery.state.as_str(),
        "job_status": delivery.told.as_str(),
        "created_at": delivery.created_at.to_string(),
        "next_try_at": delivery.due_at().map(|at| at.to_string()),
        "tries_made": delivery.tries_made,
        "tries": delivery.tries.iter().map(tried).collect::<Vec<_>>(),
        "links": { "redeliver": links.redeliver(job, delivery.number) },
    })
}

/// Nothing that a receiver said but its status.
fn tried(made: &Try) -> Value {
    let (status, error) = match made.outcome {
        TryOutcome::Answered(status) => (Some(status), None),
        TryOutcome::Failed(error) => (None, Some(error)),
    };
    json!({
        "at": made.at.to_string(),
        "took_ms": u64::try_from(made.took.as_millis()).unwrap_or(u64::MAX),
        "http_status": status,
        "error": error.map(|error| error.as_str()),
        "detail": error.map(|error| error.detail()),
    })
}
