//! An attempt's end will never be known: its process died, or stops before it.

use super::apply::{Transition, enqueue, finish};
use super::{Action, Job, JobError, Status};
use crate::limits::RESCUES;
use crate::outcome::Seen;
use crate::problem::ProblemCode;
use crate::time::Timestamp;

const NOT_REPEATABLE: &str = "its method is not idempotent and the route does not set retry.unsafe";
const TOO_OFTEN: &str = "that has happened to it too often";

/// After a crash. The attempt counts and the backend may have seen it: again if that is allowed.
/// Where the one that was lost was the last, there is one more, as the loss was ours; but not for
/// ever, as the job may be what the gateway dies of.
pub(super) fn rescue(job: &Job, now: Timestamp) -> Transition {
    if !job.terms().repeatable {
        return interrupted(job, now, "the gateway died", NOT_REPEATABLE);
    }
    let added = job
        .attempts_max()
        .saturating_sub(job.terms().retry.attempts);
    if job.attempt() >= job.attempts_max() && added >= RESCUES {
        return interrupted(job, now, "the gateway died", TOO_OFTEN);
    }
    again(job, now, |fields| {
        if fields.attempt >= fields.attempts_max {
            fields.attempts_max = fields.attempt.saturating_add(1);
        }
    })
}

/// Before a planned stop. An interrupted attempt is not a failed one, so it is not counted.
pub(super) fn hand_back(job: &Job, seen: Seen, now: Timestamp) -> Transition {
    match seen.maybe() {
        false => again(job, now, |fields| {
            fields.attempt = fields.attempt.saturating_sub(1);
            fields.executions = fields.executions.saturating_sub(1);
        }),
        true if job.terms().repeatable => again(job, now, |fields| {
            fields.attempt = fields.attempt.saturating_sub(1);
        }),
        true => interrupted(job, now, "the gateway was stopped", NOT_REPEATABLE),
    }
}

fn again(job: &Job, now: Timestamp, edit: impl FnOnce(&mut super::Fields)) -> Transition {
    Transition::change(job, |fields| {
        edit(fields);
        enqueue(fields, now);
    })
    .then(Action::Dispatch {
        route: job.route().clone(),
        at: now,
    })
}

fn interrupted(job: &Job, now: Timestamp, how: &str, why: &str) -> Transition {
    Transition::change(job, |fields| {
        finish(fields, Status::Failed, now);
        fields.error = Some(JobError {
            code: ProblemCode::Interrupted,
            detail: format!(
                "{how} while the backend may have been working; the request is not sent again \
                 by itself because {why}"
            ),
        });
    })
}
