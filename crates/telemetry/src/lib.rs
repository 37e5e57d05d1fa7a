//! Every name we emit: metrics with their labels, and how log lines look.
//!
//! [`names`] is the list of all metrics; [`Metrics`] holds them; [`log`] sets up tracing. There is
//! no global registry: whoever counts is handed a [`Metrics`].

pub mod labels;
mod listener;
pub mod log;
pub mod metrics;
pub mod names;
mod requests;
pub mod store;
mod tunnels;
mod upstreams;
mod webhooks;

pub use listener::ListenerMetrics;
pub use metrics::{Answer, Counted, Duplicate, Metrics, RouteMetrics};
pub use requests::RequestMetrics;
pub use store::StoreMetrics;
pub use tunnels::TunnelMetrics;
pub use upstreams::ServerNow;
