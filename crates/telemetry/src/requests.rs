//! What is counted of all requests of clients, whatever their route.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::metrics::register;
use crate::names;

/// Requests in flight, and those that were shed. A clone counts into the same ones.
#[derive(Debug, Clone, Default)]
pub struct RequestMetrics {
    in_flight: Gauge,
    shed: Counter,
}

impl RequestMetrics {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let requests = Self::default();
        let in_flight = requests.in_flight.clone();
        register(registry, names::REQUESTS_IN_FLIGHT, in_flight);
        register(registry, names::REQUESTS_SHED, requests.shed.clone());
        requests
    }

    /// A request begins. Returns how many were in flight before it.
    pub fn begun(&self) -> usize {
        usize::try_from(self.in_flight.inc()).unwrap_or(0)
    }

    /// A request that had begun is over.
    pub fn ended(&self) {
        self.in_flight.dec();
    }

    /// A request was shed.
    pub fn shed(&self) {
        self.shed.inc();
    }
}
