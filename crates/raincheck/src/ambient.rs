//! The system's clock and chance, for the core that has neither.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use raincheck_core::ambient::{Clock, Entropy};
use raincheck_core::time::Timestamp;

/// The system.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Bytes that are fetched at a time.
const RESERVE_BYTES: usize = 4096;

/// Bytes of the kernel's generator, fetched in one call for many ids.
struct Reserve {
    bytes: [u8; RESERVE_BYTES],
    used: usize,
}

thread_local! {
    static RESERVE: RefCell<Reserve> = const { RefCell::new(Reserve { bytes: [0; RESERVE_BYTES], used: RESERVE_BYTES }) };
}

impl Entropy for System {
    fn fill(&self, buffer: &mut [u8]) {
        RESERVE.with_borrow_mut(|reserve| {
            for piece in buffer.chunks_mut(RESERVE_BYTES) {
                if reserve.bytes.len() - reserve.used < piece.len() {
                    refill(&mut reserve.bytes);
                    reserve.used = 0;
                }
                let end = reserve.used + piece.len();
                let fresh = &mut reserve.bytes[reserve.used..end];
                piece.copy_from_slice(fresh);
                // What was given out is nowhere else.
                fresh.fill(0);
                reserve.used = end;
            }
        });
    }
}

/// Ids that could be guessed would let anybody read results: without chance there is no going on.
#[expect(
    clippy::panic,
    reason = "a kernel without random bytes cannot be worked around"
)]
fn refill(bytes: &mut [u8]) {
    if let Err(error) = getrandom::fill(bytes) {
        panic!("the system has no random bytes: {error}");
    }
}
