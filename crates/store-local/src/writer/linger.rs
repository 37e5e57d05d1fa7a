//! How many changes the next batch waits for.
//!
//! As many as the one before had, so that a lone client never waits and those that all wait for
//! their answers are not waited for in vain. Now and then a few more, to find out whether more come
//! by themselves: where that brings them it is done again at once, where it does not, ever more
//! rarely, because each time costs everybody the whole wait.

use std::time::Duration;

use raincheck_core::limits::COMMIT_BATCH;

/// How long a batch waits at most.
const WAIT: Duration = Duration::from_millis(2);
/// Batches between two attempts at more, at first and at most.
const PAUSE: u32 = 8;
const PAUSE_MAX: u32 = 256;

/// The state between two batches.
#[derive(Debug)]
pub(super) struct Linger {
    target: usize,
    /// Whether the target is more than the batch before had.
    asks_for_more: bool,
    pause: u32,
    /// Batches until more is asked for.
    rest: u32,
}

impl Linger {
    pub(super) fn new() -> Self {
        Self {
            target: 1,
            asks_for_more: false,
            pause: PAUSE,
            rest: 0,
        }
    }

    /// For how many changes the next batch waits, and how long.
    pub(super) fn next(&self) -> (usize, Duration) {
        let wait = if self.target > 1 {
            WAIT
        } else {
            Duration::ZERO
        };
        (self.target, wait)
    }

    /// Nothing came for a while.
    pub(super) fn idle(&mut self) {
        *self = Self::new();
    }

    /// The batch had so many changes.
    pub(super) fn had(&mut self, count: usize) {
        let in_vain = count < self.target;
        if self.asks_for_more {
            self.pause = if in_vain {
                (2 * self.pause).min(PAUSE_MAX)
            } else {
                PAUSE
            };
            self.rest = if in_vain { self.pause } else { 0 };
        }
        self.target = if in_vain && !self.asks_for_more {
            // One small batch among large ones is chance; slowly, so that it does not count much.
            count.max(self.target - self.target.div_ceil(8))
        } else {
            count
        };
        self.asks_for_more = self.target > 1 && self.rest == 0;
        if self.asks_for_more {
            self.target = (self.target + self.target.div_ceil(4)).min(COMMIT_BATCH);
        } else {
            self.rest = self.rest.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean batch and the waits in vain, where `come` says how many changes come within the
    /// whole wait.
    fn run(batches: u32, mut come: impl FnMut(u32) -> usize) -> (usize, u32) {
        let mut linger = Linger::new();
        let mut sum = 0;
        let mut in_vain = 0;
        for batch in 0..batches {
            let (target, _) = linger.next();
            let count = target.min(come(batch)).max(1);
            in_vain += u32::from(count < target);
            sum += count;
            linger.had(count);
        }
        (sum / batches as usize, in_vain)
    }

    #[test]
    fn a_lone_client_never_waits() {
        assert_eq!(run(1000, |_| 1), (1, 0));
        assert_eq!(Linger::new().next().1, Duration::ZERO);
    }

    #[test]
    fn clients_that_wait_for_their_answers_are_seldom_waited_for_in_vain() {
        let mut linger = Linger::new();
        linger.had(64);
        let mut in_vain = 0;
        for _ in 0..2000 {
            in_vain += u32::from(linger.next().0 > 64);
            linger.had(64);
        }
        assert!(in_vain < 2000 / 100, "{in_vain}");
    }

    #[test]
    fn a_steady_stream_fills_the_wait() {
        // Two come while a batch is written, and seven to nine within the wait.
        let mut linger = Linger::new();
        linger.had(2);
        let mut sum = 0;
        for batch in 0..1000 {
            let count = linger.next().0.min(7 + batch % 3);
            sum += count;
            linger.had(count);
        }
        assert!(sum / 1000 >= 6, "{}", sum / 1000);
    }

    #[test]
    fn when_clients_leave_the_rest_soon_wait_no_more() {
        let mut linger = Linger::new();
        linger.had(64);
        let mut in_vain = 0;
        for _ in 0..100 {
            in_vain += u32::from(linger.next().0 > 3);
            linger.had(3);
        }
        assert!(in_vain < 40, "{in_vain}");
        linger.had(1);
        linger.idle();
        assert_eq!(linger.next(), (1, Duration::ZERO));
    }
}
