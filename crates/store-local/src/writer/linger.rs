//! How many changes the next batch waits for.
//!
//! None, where many came while the batch before was written: under such a load batches grow by
//! themselves, and a wait would only leave the disk idle. Otherwise as many as the one before had,
//! so that a lone client never waits and those that all wait for
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

/// Changes that must have come meanwhile for a batch to begin at once. Fewer come by chance, also
/// under a load that is better served in larger batches.
const MANY: usize = 4;

/// What the next batch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// So many changes.
    pub(crate) changes: usize,
    /// For so long.
    pub(crate) wait: Duration,
    /// Not at all where so many are there already.
    pub(crate) enough: usize,
}

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
    pub(super) fn next(&self) -> Wish {
        let wait = if self.target > 1 {
            WAIT
        } else {
            Duration::ZERO
        };
        Wish {
            changes: self.target,
            wait,
            enough: MANY.max(self.target.div_ceil(2)),
        }
    }

    /// Nothing came for a while.
    pub(super) fn idle(&mut self) {
        *self = Self::new();
    }

    /// The batch had so many changes, of which so many had come before it was asked for.
    pub(super) fn had(&mut self, count: usize, before: usize) {
        if before >= self.next().enough {
            // It was not waited for, which says nothing about what a wait would bring.
            self.target = self.target.max(count);
            return;
        }
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
            let target = linger.next().changes;
            let count = target.min(come(batch)).max(1);
            in_vain += u32::from(count < target);
            sum += count;
            linger.had(count, 0);
        }
        (sum / batches as usize, in_vain)
    }

    #[test]
    fn a_lone_client_never_waits() {
        assert_eq!(run(1000, |_| 1), (1, 0));
        assert_eq!(Linger::new().next().wait, Duration::ZERO);
    }

    #[test]
    fn clients_that_wait_for_their_answers_are_seldom_waited_for_in_vain() {
        let mut linger = Linger::new();
        linger.had(64, 0);
        let mut in_vain = 0;
        for _ in 0..2000 {
            in_vain += u32::from(linger.next().changes > 64);
            linger.had(64, 0);
        }
        assert!(in_vain < 2000 / 100, "{in_vain}");
    }

    #[test]
    fn a_steady_stream_fills_the_wait() {
        // Two come while a batch is written, and seven to nine within the wait.
        let mut linger = Linger::new();
        linger.had(2, 0);
        let mut sum = 0;
        for batch in 0..1000 {
            let count = linger.next().changes.min(7 + batch % 3);
            sum += count;
            linger.had(count, 0);
        }
        assert!(sum / 1000 >= 6, "{}", sum / 1000);
    }

    #[test]
    fn when_clients_leave_the_rest_soon_wait_no_more() {
        let mut linger = Linger::new();
        linger.had(64, 0);
        let mut in_vain = 0;
        for _ in 0..100 {
            in_vain += u32::from(linger.next().changes > 3);
            linger.had(3, 0);
        }
        assert!(in_vain < 40, "{in_vain}");
        linger.had(1, 0);
        linger.idle();
        assert_eq!(linger.next().changes, 1);
        assert_eq!(linger.next().wait, Duration::ZERO);
    }

    #[test]
    fn a_load_that_fills_batches_by_itself_is_not_waited_for() {
        let mut linger = Linger::new();
        linger.had(64, 0);
        // Twenty come while a batch is written: at first too few for one that expects 64.
        let mut waited = 0;
        for _ in 0..1000 {
            let wish = linger.next();
            let waits = 20 < wish.enough;
            waited += u32::from(waits);
            linger.had(
                if waits {
                    20_usize.max(wish.changes.min(30))
                } else {
                    20
                },
                20,
            );
        }
        assert!(waited < 20, "{waited}");
    }

    #[test]
    fn the_few_that_come_while_a_batch_is_written_do_not_end_the_wait() {
        // Three while a batch is written, seven more within the wait.
        let mut linger = Linger::new();
        linger.had(3, 0);
        let mut sum = 0;
        for _ in 0..1000 {
            let wish = linger.next();
            let count = if 3 >= wish.enough {
                3
            } else {
                wish.changes.min(10)
            };
            sum += count;
            linger.had(count, 3);
        }
        assert!(sum / 1000 >= 8, "{}", sum / 1000);
    }
}
