//! (being built)

mod accept;
mod connection;
mod drain;
pub mod server;
