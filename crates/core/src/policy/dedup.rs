//! Is this request a repetition? And if so, what becomes of it?

use crate::id::JobId;
use crate::job::{Job, Status};
use crate::key::{Claim, ClaimedBy, Fingerprint};
use crate::route::{Duplicates, OnDuplicate};
use crate::time::Timestamp;

/// What is stored under the digest that a request claims.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// What was asked then.
    pub fingerprint: Fingerprint,
    /// The job that it became.
    pub job: &'a Job,
}

/// What becomes of a request that claims a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is the first, or the first again: a new job.
    Fresh {
        /// The job whose place it takes.
        replaces: Option<JobId>,
    },
    /// Its job is still to be answered: wait for it like whoever sent it first.
    Join,
    /// Its job has ended: the same answer again.
    Replay,
    /// The key was used for another request.
    Mismatch,
    /// Its job is still to be answered, and the route wants no second one to wait for it.
    Conflict,
}

/// Decides. A job that ended without an answer is run anew if that cannot make it run twice: the
/// backend saw nothing of it, or may see it again. Otherwise its end is the answer to every
/// repetition, as whoever repeats a request under its key asks not to have it run twice.
pub fn decide(
    route: &Duplicates,
    claim: &Claim,
    found: Option<Found<'_>>,
    now: Timestamp,
) -> Decision {
    let Some(Found { fingerprint, job }) = found else {
        return Decision::Fresh { replaces: None };
    };
    if fingerprint != claim.fingerprint {
        return Decision::Mismatch;
    }
    if !job.status().is_finished() {
        return match route.on_unfinished {
            OnDuplicate::Join => Decision::Join,
            OnDuplicate::Conflict => Decision::Conflict,
        };
    }
    if is_past(route, claim.by, job, now) || may_run_again(claim.by, job) {
        return Decision::Fresh {
            replaces: Some(job.id()),
        };
    }
    Decision::Replay
}

/// Whether the time for which a route knows repetitions without a key is over. A key is known for
/// as long as its job.
fn is_past(route: &Duplicates, by: ClaimedBy, job: &Job, now: Timestamp) -> bool {
    match by {
        ClaimedBy::Key => false,
        ClaimedBy::Fingerprint => {
            let window = route.dedupe.unwrap_or_default();
            job.finished_at().is_none_or(|at| at.after(window) <= now)
        }
    }
}

fn may_run_again(by: ClaimedBy, job: &Job) -> bool {
    if job.response().is_some() {
        return false;
    }
    // Who cancelled the job and sends the request again without a key wants it.
    let wanted = by == ClaimedBy::Fingerprint && job.status() == Status::Cancelled;
    wanted || job.executions() == 0 || job.terms().repeatable
}
