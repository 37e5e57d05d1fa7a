//! Try again? When?

use std::time::Duration;

use crate::job::Job;
use crate::limits::RETRY_AFTER_MAX;
use crate::outcome::{Cause, Failure, Outcome};
use crate::route::{RetryOn, RetryPolicy};
use crate::time::Timestamp;

/// What follows the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The response is the answer.
    Answer,
    /// Another attempt, not before this time.
    Again {
        /// When.
        at: Timestamp,
    },
    /// No further attempt is allowed.
    Exhausted,
}

/// Decides what follows. `jitter` is any number, spread evenly over `u64`.
pub fn next(job: &Job, outcome: &Outcome, jitter: u64, now: Timestamp) -> Next {
    let policy = &job.terms().retry;
    let (wanted, asked) = match outcome {
        Outcome::Answered {
            response,
            retry_after,
        } => {
            if !status_is_retried(policy, response.status) || !job.terms().repeatable {
                return Next::Answer;
            }
            (true, *retry_after)
        }
        Outcome::Failed(failure) => (may_repeat(job, failure), None),
    };
    if !wanted || job.attempt() >= job.attempts_max() {
        return Next::Exhausted;
    }
    let own = backoff(policy, job.attempt(), jitter);
    let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
    let at = now.after(asked.max(own));
    match job.deadline() {
        Some(deadline) if at >= deadline => Next::Exhausted,
        _ => Next::Again { at },
    }
}

/// Whether an answer with this status ends the job for sure, before its body is known.
pub fn is_final(job: &Job, status: u16) -> bool {
    job.attempt() >= job.attempts_max()
        || !job.terms().repeatable
        || !status_is_retried(&job.terms().retry, status)
}

fn status_is_retried(policy: &RetryPolicy, status: u16) -> bool {
    policy.attempts > 1
        && ((policy.on.too_many && status == 429)
            || (policy.on.server_error && (500..600).contains(&status)))
}

/// A failure may be repeated if its kind is retried and the backend saw nothing or may see it
/// twice.
fn may_repeat(job: &Job, failure: &Failure) -> bool {
    let harmless = !failure.seen.maybe() || job.terms().repeatable;
    harmless && kind_is_retried(job.terms().retry.on, failure.cause)
}

fn kind_is_retried(on: RetryOn, cause: Cause) -> bool {
    match cause {
        Cause::Connect | Cause::NoUpstream | Cause::Busy | Cause::Broken => on.connect,
        Cause::Timeout => on.timeout,
        Cause::Storage | Cause::Drained => true,
        Cause::Deadline | Cause::TooLarge | Cause::Damaged | Cause::Cancelled => false,
    }
}

/// Full jitter: evenly between zero and the doubled wait, which is at most `max_backoff`.
pub fn backoff(policy: &RetryPolicy, attempt: u32, jitter: u64) -> Duration {
    let doublings = attempt.saturating_sub(1).min(31);
    let ceiling = policy
        .backoff
        .saturating_mul(1 << doublings)
        .min(policy.max_backoff);
    let millis = u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX);
    let spread = (u128::from(jitter) * (u128::from(millis) + 1)) >> 64;
    Duration::from_millis(u64::try_from(spread).unwrap_or(millis))
}
