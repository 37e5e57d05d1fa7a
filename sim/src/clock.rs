//! The wall clock and the chance of one simulated process. The clock follows the runtime's, which
//! is paused and leaps from timer to timer, and can be stepped, as real ones are.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::time::Duration;

use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::time::Timestamp;
use tokio::time::Instant;

use crate::chance::Chance;

/// When every simulation begins: 2026-11-23T00:00:00Z.
const BEGIN_MILLIS: u64 = 1_795_392_000_000;

/// The surroundings of one machine.
#[derive(Debug)]
pub struct Surroundings {
    began: Instant,
    /// How far its clock is off.
    off_millis: AtomicI64,
    chance: Chance,
}

impl Surroundings {
    /// A machine whose clock is right.
    pub fn new(began: Instant, chance: Chance) -> Self {
        Self {
            began,
            off_millis: AtomicI64::new(0),
            chance,
        }
    }

    /// Steps the clock.
    pub fn step(&self, by_millis: i64) {
        self.off_millis.fetch_add(by_millis, Relaxed);
    }

    /// How far it is off.
    pub fn off(&self) -> Duration {
        Duration::from_millis(self.off_millis.load(Relaxed).unsigned_abs())
    }
}

impl Clock for Surroundings {
    fn now(&self) -> Timestamp {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let right = BEGIN_MILLIS.saturating_add(passed);
        Timestamp::from_millis(right.saturating_add_signed(self.off_millis.load(Relaxed)))
    }
}

impl Entropy for Surroundings {
    fn fill(&self, buffer: &mut [u8]) {
        self.chance.fill(buffer);
    }
}
