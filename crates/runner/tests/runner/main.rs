//! The runner over the model store, against a backend that does what each test says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adopt;
mod backend;
mod crash;
mod drain;
mod loops;
mod orders;
mod queue;
mod reload;
mod retries;
mod unsafe_methods;
mod world;
