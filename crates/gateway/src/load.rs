//! How many requests of clients are in flight, and what is shed before any work is done on it.
//!
//! A request is in flight from its head to the last byte of its answer, so a held one counts as
//! long as its client waits; a job whose client has its ticket does not. The job API is neither
//! counted nor shed: whoever has a ticket is to learn what became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_telemetry::RequestMetrics;

/// When a request that was shed may come again: as a rule some have ended by then.
const AFTER: Duration = Duration::from_secs(2);

/// The requests in flight.
#[derive(Debug)]
pub(crate) struct Load {
    counted: RequestMetrics,
    max: AtomicUsize,
}

/// A request that may be served; it is in flight until this is dropped.
#[derive(Debug)]
pub struct Admitted(Arc<Load>);

impl Load {
    /// At most `max` requests at once.
    pub(crate) fn new(max: usize, counted: RequestMetrics) -> Arc<Self> {
        let max = AtomicUsize::new(max);
        Arc::new(Self { counted, max })
    }

    /// Changes how many. Those that are in flight stay.
    pub(crate) fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// Counts a request, or sheds it.
    pub(crate) fn admit(self: &Arc<Self>) -> Result<Admitted, Problem> {
        let admitted = Admitted(Arc::clone(self));
        let max = self.max.load(Relaxed);
        if self.counted.begun() < max {
            return Ok(admitted);
        }
        self.counted.shed();
        let detail = format!("{max} requests are in flight (limits.requests)");
        Err(Problem::new(ProblemCode::Overloaded, detail).retry_after(AFTER))
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.counted.ended();
    }
}
