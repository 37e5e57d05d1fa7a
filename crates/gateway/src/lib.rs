//! (being built)

mod accept;
mod check;
mod connection;
mod drain;
mod host;
mod forward;
pub mod server;
