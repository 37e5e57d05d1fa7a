//! A request is accepted as a job.

use super::apply::Transition;
use super::{Action, Fields, Job, Status, Terms};
use crate::callback::Callback;
use crate::id::{FencingToken, JobId, Revision, RouteName};
use crate::route::Route;
use crate::time::Timestamp;

/// What a job is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Its id.
    pub id: JobId,
    /// The route that accepts it.
    pub route: RouteName,
    /// What is promised.
    pub terms: Terms,
    /// Where its end is to be told.
    pub callback: Option<Box<Callback>>,
}

impl Submission {
    /// A submission to `route` of a request that is `idempotent` by its method.
    pub fn to_route(id: JobId, route: &Route, idempotent: bool) -> Self {
        Self {
            id,
            route: route.name.clone(),
            terms: Terms {
                retry: route.retry.clone(),
                repeatable: idempotent || route.retry.repeat_unsafe,
                retention: route.retention,
                deadline: route.deadline,
            },
            callback: None,
        }
    }
}

/// Accepts a job into the queue.
pub fn submit(submission: Submission, now: Timestamp) -> Transition {
    let route = submission.route.clone();
    let mut transition = created(submission, now, |_| {});
    transition.actions.push(Action::Dispatch { route, at: now });
    transition
}

/// Accepts a job whose first attempt began at `started_at` and is still running: an auto request
/// whose hold has ended.
pub fn submit_started(submission: Submission, started_at: Timestamp) -> Transition {
    created(submission, started_at, |fields| {
        fields.status = Status::Processing;
        fields.due_at = None;
        fields.started_at = Some(started_at);
        fields.token = fields.token.next();
        fields.attempt = 1;
        fields.executions = 1;
    })
}

fn created(submission: Submission, now: Timestamp, edit: impl FnOnce(&mut Fields)) -> Transition {
    let mut fields = Fields {
        id: submission.id,
        revision: Revision(1),
        route: submission.route,
        status: Status::Queued,
        due_at: Some(now),
        token: FencingToken(0),
        attempt: 0,
        attempts_max: submission.terms.retry.attempts.max(1),
        executions: 0,
        created_at: now,
        started_at: None,
        finished_at: None,
        expires_at: None,
        deadline: submission.terms.deadline.map(|limit| now.after(limit)),
        terms: submission.terms,
        response: None,
        error: None,
        callback: submission.callback,
    };
    edit(&mut fields);
    let actions = vec![Action::Notify(fields.id)];
    Transition {
        next: Some(Job { fields }),
        from: None,
        drops_response: false,
        actions,
    }
}
