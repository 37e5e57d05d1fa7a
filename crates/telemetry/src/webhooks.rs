//! What is counted of webhooks.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::labels::WebhookLabel;
use crate::metrics::register;
use crate::names;

/// From a receiver next door to one that is given up.
const SECONDS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

/// Webhooks of one process.
#[derive(Debug)]
pub struct WebhookMetrics {
    tries: Family<WebhookLabel, Counter>,
    ends: Family<WebhookLabel, Counter>,
    seconds: Histogram,
    in_flight: Gauge,
    waiting: Gauge,
}

impl WebhookMetrics {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let metrics = Self {
            tries: Family::default(),
            ends: Family::default(),
            seconds: Histogram::new(SECONDS),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
        };
        register(registry, names::WEBHOOK_TRIES, metrics.tries.clone());
        register(registry, names::WEBHOOK_SECONDS, metrics.seconds.clone());
        register(registry, names::WEBHOOK_ENDS, metrics.ends.clone());
        register(
            registry,
            names::WEBHOOKS_IN_FLIGHT,
            metrics.in_flight.clone(),
        );
        register(registry, names::WEBHOOKS_WAITING, metrics.waiting.clone());
        metrics
    }

    /// A try ended.
    pub fn tried(&self, outcome: &'static str, took: Duration) {
        self.tries.get_or_create(&WebhookLabel { outcome }).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// A delivery ended.
    pub fn ended(&self, outcome: &'static str) {
        self.ends.get_or_create(&WebhookLabel { outcome }).inc();
    }

    pub(crate) fn set(&self, in_flight: usize, waiting: usize) {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.in_flight.set(whole(in_flight));
        self.waiting.set(whole(waiting));
    }
}
