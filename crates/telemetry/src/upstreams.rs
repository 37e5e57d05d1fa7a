//! Metrics of the servers of upstreams, as they are at a scrape.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::labels::ServerLabel;
use crate::metrics::register;
use crate::names;

/// A server as it is at a scrape.
#[derive(Debug, Clone)]
pub struct ServerNow {
    /// The upstream's name.
    pub upstream: String,
    /// The server's URL.
    pub server: String,
    /// Whether it may be used.
    pub usable: bool,
    /// Its requests in flight.
    pub in_flight: usize,
    /// How often it was ejected.
    pub ejections: u64,
}

/// The gauges.
#[derive(Default)]
pub(crate) struct Servers {
    usable: Family<ServerLabel, Gauge>,
    in_flight: Family<ServerLabel, Gauge>,
    ejections: Family<ServerLabel, Gauge>,
}

impl Servers {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let servers = Self::default();
        register(registry, names::UPSTREAM_USABLE, servers.usable.clone());
        register(
            registry,
            names::UPSTREAM_IN_FLIGHT,
            servers.in_flight.clone(),
        );
        register(
            registry,
            names::UPSTREAM_EJECTIONS,
            servers.ejections.clone(),
        );
        servers
    }

    /// From now on there are these, and no others.
    pub(crate) fn set(&self, now: &[ServerNow]) {
        for family in [&self.usable, &self.in_flight, &self.ejections] {
            family.clear();
        }
        for server in now {
            let label = ServerLabel {
                upstream: server.upstream.clone(),
                server: server.server.clone(),
            };
            let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            self.usable
                .get_or_create(&label)
                .set(i64::from(server.usable));
            let in_flight = whole(server.in_flight as u64);
            self.in_flight.get_or_create(&label).set(in_flight);
            self.ejections
                .get_or_create(&label)
                .set(whole(server.ejections));
        }
    }
}
