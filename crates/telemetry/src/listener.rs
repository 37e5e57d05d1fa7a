//! What is counted of the connections of a listener.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::labels::{ListenerLabel, LoadLabel, RefusedLabel};
use crate::metrics::register;
use crate::names;

/// What is counted of all listeners.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    open: Family<ListenerLabel, Gauge>,
    accepted: Family<ListenerLabel, Counter>,
    refused: Family<RefusedLabel, Counter>,
    loads: Family<LoadLabel, Counter>,
    expiry: Family<ListenerLabel, Gauge>,
}

/// The metrics of one listener, resolved once. The default counts for nobody.
#[derive(Debug, Clone, Default)]
pub struct ListenerMetrics {
    name: String,
    open: Gauge,
    accepted: Counter,
    refused: Family<RefusedLabel, Counter>,
    loads: Family<LoadLabel, Counter>,
    expiry: Family<ListenerLabel, Gauge>,
}

impl Listeners {
    pub(crate) fn registered(registry: &mut Registry) -> Self {
        let listeners = Self::default();
        register(registry, names::CONNECTIONS_OPEN, listeners.open.clone());
        register(registry, names::CONNECTIONS, listeners.accepted.clone());
        register(
            registry,
            names::CONNECTIONS_REFUSED,
            listeners.refused.clone(),
        );
        register(registry, names::CERTIFICATE_LOADS, listeners.loads.clone());
        register(
            registry,
            names::CERTIFICATE_EXPIRY,
            listeners.expiry.clone(),
        );
        listeners
    }

    pub(crate) fn of(&self, listener: &str) -> ListenerMetrics {
        let label = ListenerLabel {
            listener: listener.to_owned(),
        };
        ListenerMetrics {
            open: self.open.get_or_create(&label).clone(),
            accepted: self.accepted.get_or_create(&label).clone(),
            name: label.listener,
            refused: self.refused.clone(),
            loads: self.loads.clone(),
            expiry: self.expiry.clone(),
        }
    }
}

impl ListenerMetrics {
    /// A connection was accepted.
    pub fn opened(&self) {
        self.open.inc();
        self.accepted.inc();
    }

    /// It has no certificates any more.
    pub fn no_certificates(&self) {
        let listener = self.name.clone();
        self.expiry.remove(&ListenerLabel { listener });
    }

    /// A connection was ended for what came before HTTP, or for a flood.
    pub fn refused(&self, reason: &'static str) {
        let listener = self.name.clone();
        let label = RefusedLabel { listener, reason };
        self.refused.get_or_create(&label).inc();
    }

    /// Certificates were loaded, or not; those in use expire at this Unix time.
    pub fn certificates(&self, result: &'static str, expires_at: u64) {
        let listener = self.name.clone();
        let label = LoadLabel { listener, result };
        self.loads.get_or_create(&label).inc();
        let label = ListenerLabel {
            listener: label.listener,
        };
        let expiry = self.expiry.get_or_create(&label);
        expiry.set(i64::try_from(expires_at).unwrap_or(i64::MAX));
    }

    /// A connection has ended.
    pub fn closed(&self) {
        self.open.dec();
    }
}
