//! What the pool does on the wire, against a backend that follows a script.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod backend;
mod client;
mod reuse;
