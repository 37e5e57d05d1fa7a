//! One log line for each refused request, at a bounded rate: whoever floods us with nonsense must
//! not fill the disk with what we say about it.

use std::io;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use raincheck_core::id::{JobId, RouteName};
use raincheck_core::limits;
use raincheck_core::problem::ProblemCode;

use crate::server::{Address, Peer};

/// The lines of the whole process: it has one log.
static LINES: LazyLock<Lines> = LazyLock::new(|| Lines::new(limits::REFUSAL_LINES_PER_SECOND));

/// Those about repetitions, which a retry storm brings by the thousand.
static REPETITIONS: LazyLock<Lines> =
    LazyLock::new(|| Lines::new(limits::REPETITION_LINES_PER_SECOND));

struct Lines {
    limiter: DefaultDirectRateLimiter,
    /// Refusals since the last line that got none.
    unsaid: AtomicU64,
}

impl Lines {
    fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        Self {
            limiter: RateLimiter::direct(Quota::per_second(per_second)),
            unsaid: AtomicU64::new(0),
        }
    }

    /// How many refusals had no line since the last one; `None` if this one gets none either.
    fn turn(&self) -> Option<u64> {
        if self.limiter.check().is_err() {
            self.unsaid.fetch_add(1, Relaxed);
            return None;
        }
        Some(self.unsaid.swap(0, Relaxed))
    }
}

/// Says why a request was refused.
pub(crate) fn say(peer: &Peer, problem: ProblemCode, reason: &str) {
    let Some(unsaid) = LINES.turn() else {
        return;
    };
    let (client, connection, problem) = (&peer.addr, peer.connection, problem.slug());
    if unsaid > 0 {
        tracing::info!(%client, connection, problem, reason, unsaid, "request refused");
    } else {
        tracing::info!(%client, connection, problem, reason, "request refused");
    }
}

/// Says that a request was known to be a repetition, and what it got.
pub(crate) fn say_repetition(route: &RouteName, job: JobId, by: &'static str, got: &'static str) {
    let Some(unsaid) = REPETITIONS.turn() else {
        return;
    };
    if unsaid > 0 {
        tracing::info!(%route, %job, by, got, unsaid, "repeated request");
    } else {
        tracing::info!(%route, %job, by, got, "repeated request");
    }
}

/// Says why a connection was refused: before HTTP began, or for a flood of frames.
pub(crate) fn say_of_connection(client: &Address, reason: &str, error: Option<&io::Error>) {
    let Some(unsaid) = LINES.turn() else {
        return;
    };
    let error = error.map(ToString::to_string).unwrap_or_default();
    tracing::info!(%client, reason, error, unsaid, "connection refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_few_lines_and_is_counted() {
        let lines = Lines::new(limits::REFUSAL_LINES_PER_SECOND);
        let said = (0..10_000).filter(|_| lines.turn().is_some()).count();
        let most = limits::REFUSAL_LINES_PER_SECOND as usize;
        assert!((most..most * 2).contains(&said), "{said}");
        assert_eq!(lines.unsaid.load(Relaxed) + said as u64, 10_000);
    }
}
