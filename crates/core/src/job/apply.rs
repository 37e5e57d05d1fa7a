//! apply(job, event, now) -> Transition: the only way a job changes.

use super::{
    Action, Event, EventKind, Fields, Job, Refused, Status, cancel, expire, rescue, settle, start,
    tell,
};
use crate::id::{FencingToken, Revision};
use crate::time::Timestamp;

/// A change of a job: what to commit, and what to do once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The job after the change; none: it is forgotten.
    pub next: Option<Job>,
    /// The revision this was computed from; none: the job is new.
    pub from: Option<Revision>,
    /// Whether the response stored so far is dropped.
    pub drops_response: bool,
    /// What to do once the change is durable.
    pub actions: Vec<Action>,
}

/// What becomes of `job` when `event` happens at `now`.
pub fn apply(job: &Job, event: &Event, now: Timestamp) -> Result<Transition, Refused> {
    let kind = event.kind();
    match event {
        Event::Start => start::start(job, now),
        Event::Settle {
            token,
            outcome,
            jitter,
        } => {
            running(job, *token, kind)?;
            Ok(settle::settle(job, outcome, *jitter, now))
        }
        Event::Cancel => cancel::cancel(job, now),
        Event::Retry => start::retry(job, now),
        Event::Rescue { token } => {
            running(job, *token, kind)?;
            Ok(rescue::rescue(job, now))
        }
        Event::HandBack { token, seen } => {
            running(job, *token, kind)?;
            Ok(rescue::hand_back(job, *seen, now))
        }
        Event::Expire => expire::expire(job, now),
        Event::Forget => expire::forget(job),
        Event::Damaged { token, detail } => {
            running(job, *token, kind)?;
            Ok(settle::damaged(job, detail, now))
        }
        Event::AnswerDamaged { token, detail } => settle::answer_damaged(job, *token, detail),
        Event::RouteGone => settle::route_gone(job, now),
        Event::Tried {
            delivery,
            made,
            wait,
        } => tell::tried(job, *delivery, *made, *wait, now),
        Event::Redeliver { delivery } => tell::redeliver(job, *delivery, now),
    }
}

fn running(job: &Job, told: FencingToken, event: EventKind) -> Result<(), Refused> {
    let status = job.status();
    if status != Status::Processing {
        return Err(Refused::Status { status, event });
    }
    let latest = job.token();
    if told == latest {
        Ok(())
    } else {
        Err(Refused::Fenced { told, latest })
    }
}

/// Refuses unless the job is queued.
pub(super) fn queued(job: &Job, event: EventKind) -> Result<(), Refused> {
    match job.status() {
        Status::Queued => Ok(()),
        status => Err(Refused::Status { status, event }),
    }
}

impl Transition {
    /// The job with some fields changed and its revision counted up.
    pub(super) fn change(job: &Job, edit: impl FnOnce(&mut Fields)) -> Self {
        let mut fields = job.fields().clone();
        let from = fields.revision;
        fields.revision = from.next();
        edit(&mut fields);
        let next = Job { fields };
        let mut actions = vec![Action::Notify(job.id())];
        if let (Some(callback), Some(at)) = (next.callback(), next.tell_at()) {
            actions.push(Action::Tell {
                job: next.id(),
                receiver: callback.receiver,
                at,
            });
        }
        Self {
            next: Some(next),
            from: Some(from),
            drops_response: false,
            actions,
        }
    }

    /// The same with one more thing to do.
    pub(super) fn then(mut self, action: Action) -> Self {
        self.actions.push(action);
        self
    }
}

/// Ends a job: what every finished status has in common.
pub(super) fn finish(fields: &mut Fields, status: Status, now: Timestamp) {
    fields.status = status;
    fields.due_at = None;
    fields.finished_at = Some(now);
    fields.expires_at = Some(now.after(fields.terms.retention));
    if let Some(callback) = &mut fields.callback {
        callback.ended(status, now);
    }
}

/// Puts a job into the queue.
pub(super) fn enqueue(fields: &mut Fields, due_at: Timestamp) {
    fields.status = Status::Queued;
    fields.due_at = Some(due_at);
    fields.finished_at = None;
    fields.expires_at = None;
    fields.response = None;
    fields.error = None;
    if let Some(callback) = &mut fields.callback {
        callback.withdraw();
    }
}
