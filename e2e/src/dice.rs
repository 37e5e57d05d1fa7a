//! Chance that can be had again: numbers from a seed, which a failing test prints.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// The numbers of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The seed that the variable names, or one that nobody has seen before.
    #[must_use]
    pub fn seed(variable: &str) -> u64 {
        let named = std::env::var(variable).ok();
        let named = named.and_then(|text| text.parse().ok());
        named.unwrap_or_else(|| RandomState::new().build_hasher().finish() >> 32)
    }

    /// Any number.
    pub fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    /// A number of the range.
    pub fn of(&mut self, range: Range<u64>) -> u64 {
        range.start + self.any() % (range.end - range.start)
    }

    /// Whether a coin fell on this side.
    pub fn coin(&mut self) -> bool {
        self.any() & 1 == 1
    }

    /// One of these.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.any() % of.len() as u64) as usize]
    }
}
