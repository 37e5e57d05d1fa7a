//! An attempt ended: answered, failed, or to be tried again.

use super::apply::{Transition, enqueue, finish, queued};
use super::{Action, EventKind, Fields, Job, JobError, Refused, Status};
use crate::id::FencingToken;
use crate::outcome::Outcome;
use crate::policy::retry::{Next, next};
use crate::problem::ProblemCode;
use crate::time::Timestamp;

/// What becomes of a job whose running attempt ended with `outcome`.
pub(super) fn settle(job: &Job, outcome: &Outcome, jitter: u64, now: Timestamp) -> Transition {
    let unseen = matches!(outcome, Outcome::Failed(failure) if !failure.seen.maybe());
    let uncount = |fields: &mut Fields| {
        if unseen {
            fields.executions = fields.executions.saturating_sub(1);
        }
    };
    match next(job, outcome, jitter, now) {
        Next::Again { at } => Transition::change(job, |fields| {
            uncount(fields);
            enqueue(fields, at);
        })
        .then(Action::Dispatch {
            route: job.route().clone(),
            at,
        }),
        Next::Answer => Transition::change(job, |fields| {
            finish(fields, Status::Succeeded, now);
            keep_response(fields, outcome);
        }),
        Next::Exhausted => Transition::change(job, |fields| {
            uncount(fields);
            finish(fields, Status::Failed, now);
            keep_response(fields, outcome);
            fields.error = Some(error_of(outcome));
        }),
    }
}

fn keep_response(fields: &mut Fields, outcome: &Outcome) {
    if let Outcome::Answered { response, .. } = outcome {
        fields.response = Some(response.clone());
    }
}

fn error_of(outcome: &Outcome) -> JobError {
    match outcome {
        Outcome::Failed(failure) => JobError {
            code: failure.cause.problem(),
            detail: failure.detail.clone(),
        },
        Outcome::Answered { response, .. } => JobError {
            code: ProblemCode::RetriesExhausted,
            detail: format!(
                "no further attempt is allowed, and the last one was answered {}, which this \
                 route retries",
                response.status
            ),
        },
    }
}

/// The job's stored request cannot be read, so that no attempt is possible.
pub(super) fn damaged(job: &Job, detail: &str, now: Timestamp) -> Transition {
    Transition::change(job, |fields| {
        fields.executions = fields.executions.saturating_sub(1);
        finish(fields, Status::Failed, now);
        fields.error = Some(damage(detail));
    })
}

/// The stored answer of a finished job cannot be read: what the job came to is lost. It is kept as
/// long as it would have been, and what is left of the answer with it, where nobody is shown it.
pub(super) fn answer_damaged(
    job: &Job,
    told: FencingToken,
    detail: &str,
) -> Result<Transition, Refused> {
    let (status, latest) = (job.status(), job.token());
    if !status.is_finished() || job.response().is_none() {
        let event = EventKind::AnswerDamaged;
        return Err(Refused::Status { status, event });
    }
    if told != latest {
        return Err(Refused::Fenced { told, latest });
    }
    Ok(Transition::change(job, |fields| {
        fields.status = Status::Failed;
        fields.response = None;
        fields.error = Some(damage(detail));
    }))
}

fn damage(detail: &str) -> JobError {
    JobError {
        code: ProblemCode::StorageDamaged,
        detail: detail.to_owned(),
    }
}

/// The route of a queued job is not configured any more.
pub(super) fn route_gone(job: &Job, now: Timestamp) -> Result<Transition, Refused> {
    queued(job, EventKind::RouteGone)?;
    Ok(Transition::change(job, |fields| {
        finish(fields, Status::Failed, now);
        fields.error = Some(JobError {
            code: ProblemCode::RouteGone,
            detail: format!(
                "no route is named '{}' any more; configure it and retry the job",
                fields.route
            ),
        });
    }))
}
