//! Chance that a seed decides: the same seed, the same numbers, on every machine.

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;

/// A source of numbers. Clones share it; [`Chance::fork`] makes one that nobody else draws from,
/// so that a draw more in one part of the world does not change all others.
#[derive(Debug, Clone)]
pub struct Chance(Arc<Mutex<Rng>>);

impl Chance {
    /// The numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    fn rng<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Numbers of their own for one part of the world.
    pub fn fork(&self) -> Self {
        Self(Arc::new(Mutex::new(self.rng(Rng::fork))))
    }

    /// A number of a range.
    pub fn within(&self, range: RangeInclusive<u64>) -> u64 {
        self.rng(|rng| rng.u64(range))
    }

    /// Milliseconds of a range.
    pub fn millis(&self, range: RangeInclusive<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// Seconds of a range, with a part in milliseconds.
    pub fn seconds(&self, range: RangeInclusive<u64>) -> Duration {
        self.millis(range.start() * 1000..=range.end() * 1000)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&self, percent: u64) -> bool {
        self.within(0..=99) < percent
    }

    /// One of these. Panics if there are none, which no caller can bring about.
    pub fn one_of<T: Copy>(&self, all: &[T]) -> T {
        let last = all.len().saturating_sub(1);
        all[usize::try_from(self.within(0..=last as u64)).unwrap_or(0)]
    }

    /// Fills a buffer.
    pub fn fill(&self, buffer: &mut [u8]) {
        self.rng(|rng| rng.fill(buffer));
    }
}
