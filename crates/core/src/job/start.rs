//! An attempt begins, by its turn or because somebody asked for another run.

use super::apply::{Transition, enqueue, queued};
use super::{Action, EventKind, Job, Refused, Status};
use crate::time::Timestamp;

/// The next attempt begins. It counts as an execution from here on: after a crash nobody could say
/// that the backend saw nothing.
pub(super) fn start(job: &Job, now: Timestamp) -> Result<Transition, Refused> {
    queued(job, EventKind::Start)?;
    Ok(Transition::change(job, |fields| {
        fields.status = Status::Processing;
        fields.due_at = None;
        fields.started_at = Some(now);
        fields.token = fields.token.next();
        fields.attempt = fields.attempt.saturating_add(1).min(fields.attempts_max);
        fields.executions = fields.executions.saturating_add(1);
    }))
}

/// A failed, cancelled or expired job gets as many attempts as a new one would.
pub(super) fn retry(job: &Job, now: Timestamp) -> Result<Transition, Refused> {
    let status = job.status();
    if !matches!(status, Status::Failed | Status::Cancelled | Status::Expired) {
        return Err(Refused::Status {
            status,
            event: EventKind::Retry,
        });
    }
    let mut transition = Transition::change(job, |fields| {
        enqueue(fields, now);
        let more = fields.terms.retry.attempts.max(1);
        fields.attempts_max = fields.attempt.saturating_add(more);
        fields.deadline = fields.terms.deadline.map(|limit| now.after(limit));
    });
    transition.drops_response = true;
    Ok(transition.then(Action::Dispatch {
        route: job.route().clone(),
        at: now,
    }))
}
