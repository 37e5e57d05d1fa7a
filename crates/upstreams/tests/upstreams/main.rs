//! What the pool does on the wire, against a backend that follows a script.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alpn;
mod backend;
mod client;
mod crowd;
mod eject;
mod faults;
mod goodbye;
mod group;
mod http2;
mod parked;
mod reach;
mod reuse;
mod sent;
mod silence;
mod stream;
mod switch;
mod tls;
