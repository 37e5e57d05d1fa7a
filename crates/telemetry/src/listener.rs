//! What is counted of the connections of a listener.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::labels::ListenerLabel;
use crate::metrics::register;
use crate::names;

/// What is counted of all listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Family<ListenerLabel, Gauge>,
    accepted: Family<ListenerLabel, Counter>,
}

/// The metrics of one listener, resolved once. The default counts for nobody.
#[derive(Debug, Clone, Default)]
pub struct ListenerMetrics {
    open: Gauge,
    accepted: Counter,
}

impl Listeners {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let listeners = Self::default();
        register(registry, names::CONNECTIONS_OPEN, listeners.open.clone());
        register(registry, names::CONNECTIONS, listeners.accepted.clone());
        listeners
    }

    pub(crate) fn of(&self, listener: &str) -> ListenerMetrics {
        let label = ListenerLabel {
            listener: listener.to_owned(),
        };
        ListenerMetrics {
            open: self.open.get_or_create(&label).clone(),
            accepted: self.accepted.get_or_create(&label).clone(),
        }
    }
}

impl ListenerMetrics {
    /// A connection was accepted.
    pub fn opened(&self) {
        self.open.inc();
        self.accepted.inc();
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.open.dec();
    }
}
