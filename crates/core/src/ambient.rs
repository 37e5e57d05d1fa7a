//! The two things the core may not have and callers must bring: a clock and chance.

use crate::id::JobId;
use crate::time::Timestamp;

/// Tells the wall-clock time. Waiting is not its business: waits use the runtime's own timers.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// Fills buffers with bytes that nobody can guess (a CSPRNG).
pub trait Entropy: Send + Sync + 'static {
    /// Fills all of `buffer`.
    fn fill(&self, buffer: &mut [u8]);

    /// A number spread evenly over all of `u64`, for jitter.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// A clock and a source of chance: what most parts are handed.
pub trait Ambient: Clock + Entropy {
    /// A new job id: the time in front, so that ids sort by age, and 74 unguessable bits.
    fn job_id(&self) -> JobId {
        self.job_id_at(self.now())
    }

    /// The same for a caller who knows what time it is.
    fn job_id_at(&self, now: Timestamp) -> JobId {
        let mut random = [0; 10];
        self.fill(&mut random);
        JobId::from_parts(now, random)
    }
}

impl<T: Clock + Entropy + ?Sized> Ambient for T {}
