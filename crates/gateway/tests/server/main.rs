//! The server over real sockets: what a client gets, how long it may take, and how it is let go.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod drain;
mod flood;
mod http1;
mod http2;
mod per_client;
mod rig;
mod slow;
mod switch;
mod unread;
