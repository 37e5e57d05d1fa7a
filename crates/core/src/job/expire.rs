//! A job's time is over: it waited past its deadline, or was kept as long as promised.

use super::apply::{Transition, finish};
use super::{Action, EventKind, Job, JobError, Refused, Status};
use crate::problem::ProblemCode;
use crate::time::Timestamp;

/// Ends a queued job whose deadline has passed; forgets a finished one whose retention is over and
/// whose end is told.
pub(super) fn expire(job: &Job, now: Timestamp) -> Result<Transition, Refused> {
    let over = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
    match job.status() {
        Status::Queued if over(job.deadline()) => Ok(Transition::change(job, |fields| {
            finish(fields, Status::Expired, now);
            fields.error = Some(JobError {
                code: ProblemCode::JobExpired,
                detail: "its deadline passed before an attempt could answer it".to_owned(),
            });
        })),
        Status::Processing => Err(Refused::Status {
            status: Status::Processing,
            event: EventKind::Expire,
        }),
        _ if over(job.over_at()) => Ok(removed(job)),
        _ => Err(Refused::NotYet),
    }
}

/// Forgets a finished job before its time.
pub(super) fn forget(job: &Job) -> Result<Transition, Refused> {
    match job.status() {
        status if status.is_finished() => Ok(removed(job)),
        status => Err(Refused::Status {
            status,
            event: EventKind::Forget,
        }),
    }
}

fn removed(job: &Job) -> Transition {
    Transition {
        next: None,
        from: Some(job.revision()),
        drops_response: true,
        actions: vec![Action::Notify(job.id())],
    }
}
