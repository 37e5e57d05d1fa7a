//! The two other ends of the demo: a slow backend and a client.

pub mod backend;
pub mod client;
