//! Somebody asked for a job to stop.

use super::apply::{Transition, finish};
use super::{Action, EventKind, Job, JobError, Refused, Status};
use crate::problem::ProblemCode;
use crate::time::Timestamp;

/// Ends an unfinished job and closes its exchange. The backend may go on by itself: `executions`
/// says whether it may have seen the request.
pub(super) fn cancel(job: &Job, now: Timestamp) -> Result<Transition, Refused> {
    let status = job.status();
    if status.is_finished() {
        return Err(Refused::Status {
            status,
            event: EventKind::Cancel,
        });
    }
    let transition = Transition::change(job, |fields| {
        finish(fields, Status::Cancelled, now);
        fields.error = Some(JobError {
            code: ProblemCode::JobCancelled,
            detail: "cancelled on request".to_owned(),
        });
    });
    Ok(match status {
        Status::Processing => transition.then(Action::Close {
            job: job.id(),
            token: job.token(),
        }),
        _ => transition,
    })
}
