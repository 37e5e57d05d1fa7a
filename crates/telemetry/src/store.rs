//! What the store's writer counts: how long a commit takes, and how many changes share it.

use std::fmt;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::metrics::register;
use crate::names;

/// From 0.1 ms, a good disk's sync, to 10 s, a disk in trouble.
const SECONDS: [f64; 12] = [
    0.0001, 0.000_25, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0,
];
/// Powers of four: a lone change, or all that came while the disk was busy.
const CHANGES: [f64; 7] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0];

/// Counters of one store. A clone counts into the same ones, so that the store can be opened before
/// there is a registry.
#[derive(Clone)]
pub struct StoreMetrics {
    seconds: Histogram,
    changes: Histogram,
    full: Gauge,
    damaged: Gauge,
    bodies_refused: Counter,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self {
            seconds: Histogram::new(SECONDS),
            changes: Histogram::new(CHANGES),
            full: Gauge::default(),
            damaged: Gauge::default(),
            bodies_refused: Counter::default(),
        }
    }
}

impl StoreMetrics {
    /// A batch of `changes` was made durable, or was not, in `took`.
    pub fn commit(&self, changes: usize, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
        self.changes
            .observe(f64::from(u32::try_from(changes).unwrap_or(u32::MAX)));
    }

    /// Whether there is no room.
    pub fn full(&self, is_full: bool) {
        self.full.set(i64::from(is_full));
    }

    /// How many things were found to be damaged.
    pub fn damaged(&self, count: u64) {
        self.damaged.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A body had no room on the disk.
    pub fn body_refused(&self) {
        self.bodies_refused.inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        register(registry, names::COMMIT_SECONDS, self.seconds.clone());
        register(registry, names::COMMIT_CHANGES, self.changes.clone());
        register(registry, names::STORE_FULL, self.full.clone());
        register(registry, names::STORE_DAMAGED, self.damaged.clone());
        register(
            registry,
            names::STORE_BODIES_REFUSED,
            self.bodies_refused.clone(),
        );
    }
}

impl fmt::Debug for StoreMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreMetrics").finish_non_exhaustive()
    }
}
