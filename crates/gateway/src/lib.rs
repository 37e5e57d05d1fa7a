//! The data plane: your clients. Decides nothing: it asks `core::policy` and carries out.
//!
//! Read [`service`] first: one request, from its route to its mode. [`server`] is what both
//! listeners are; `guard` and `check` refuse what two servers could read in two ways.

mod accept;
mod address;
mod async_mode;
mod auto_mode;
mod callback;
mod check;
mod client_body;
mod clients;
mod connection;
mod dedup;
mod drain;
mod forward;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod guard;
mod heir;
mod holding;
mod host;
mod intake;
mod keepalive;
mod listener;
mod load;
mod options;
mod origin;
mod peer;
mod per_client;
mod proxy;
mod refusals;
mod resume;
mod rewrite;
pub mod server;
pub mod service;
mod sync_mode;
#[cfg(feature = "testing")]
pub mod testing;
mod ticket;
mod tls;
mod trusted;
mod tunnel;
mod upgrade;

pub use holding::Holding;
pub use load::Admitted;
pub use options::Options;
pub use per_client::PerClient;
pub use tls::{CertificateFiles, Tls, TlsError, TlsFiles};
pub use trusted::Trusted;
