//! Requests in every mode through a real server, over the model store and a backend by script.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod client;
mod duplicates;
mod exact;
mod gone;
mod prefer;
mod refused_keys;
mod retry;
mod rig;
mod room;
mod upstreams;
