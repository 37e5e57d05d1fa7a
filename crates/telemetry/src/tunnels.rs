//! What is counted of connections that went on in another protocol.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::labels::{RouteLabel, WayLabel};
use crate::metrics::register;
use crate::names;

/// Of all routes.
#[derive(Debug)]
pub(crate) struct Tunnels {
    open: Family<RouteLabel, Gauge>,
    bytes: Family<WayLabel, Counter>,
}

/// Of one route. A clone counts into the same ones.
#[derive(Debug, Clone)]
pub struct TunnelMetrics {
    /// Open ones.
    pub open: Gauge,
    /// Bytes from clients to the upstream.
    pub up: Counter,
    /// Bytes from the upstream to clients.
    pub down: Counter,
}

impl Tunnels {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let tunnels = Self {
            open: Family::default(),
            bytes: Family::default(),
        };
        register(registry, names::TUNNELS_OPEN, tunnels.open.clone());
        register(registry, names::TUNNEL_BYTES, tunnels.bytes.clone());
        tunnels
    }

    pub(crate) fn of(&self, route: &str) -> TunnelMetrics {
        let bytes = |way| {
            let label = WayLabel {
                route: route.to_owned(),
                way,
            };
            self.bytes.get_or_create(&label).clone()
        };
        let label = RouteLabel {
            route: route.to_owned(),
        };
        TunnelMetrics {
            open: self.open.get_or_create(&label).clone(),
            up: bytes("up"),
            down: bytes("down"),
        }
    }
}
