//! When is a webhook that did not arrive tried again?

use std::time::Duration;

use crate::callback::TryOutcome;
use crate::limits::RETRY_AFTER_MAX;

const fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// The waits before the second try and the later ones, as Standard Webhooks advises: ten tries in
/// a little more than three days.
pub const SCHEDULE: [Duration; 9] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    minutes(2 * 60),
    minutes(5 * 60),
    minutes(10 * 60),
    minutes(14 * 60),
    minutes(20 * 60),
    minutes(24 * 60),
];

/// The shortest wait after an answer that asks for fewer messages, unless the whole schedule is
/// quicker than that.
pub const THROTTLED: Duration = minutes(1);

/// The wait before the next try; none: the schedule is over. `made` is how many tries there were,
/// `asked` the receiver's `Retry-After`, and `jitter` any number, spread evenly over `u64`: the wait
/// is spread by a fifth to either side.
pub fn wait(
    schedule: &[Duration],
    made: u32,
    outcome: TryOutcome,
    asked: Option<Duration>,
    jitter: u64,
) -> Option<Duration> {
    let index = usize::try_from(made.checked_sub(1)?).ok()?;
    let own = spread(*schedule.get(index)?, jitter);
    let longest = schedule.iter().max().copied().unwrap_or_default();
    let least = match slows(outcome) {
        true => THROTTLED.min(longest),
        false => Duration::ZERO,
    };
    let asked = asked.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(own.max(least).max(asked))
}

/// Whether what came of a try says that the receiver has too much to do.
pub fn slows(outcome: TryOutcome) -> bool {
    match outcome {
        TryOutcome::Answered(status) => matches!(status, 429 | 502 | 504),
        TryOutcome::Failed(error) => error == crate::callback::TryError::Timeout,
    }
}

/// Four to six fifths of a wait.
fn spread(wait: Duration, jitter: u64) -> Duration {
    let millis = wait.as_millis();
    let fifth = millis / 5;
    let extra = (u128::from(jitter) * (2 * fifth + 1)) >> 64;
    Duration::from_millis(u64::try_from(millis - fifth + extra).unwrap_or(u64::MAX))
}
