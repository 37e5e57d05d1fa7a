//! We call them over HTTP/1.1 or HTTP/2, cleartext or TLS, TCP or Unix sockets.
//!
//! `group` chooses a server, `pool` finds or opens a connection to its `host`, `send` puts one
//! request on it, `answer` reads the response; `http2` does the same for HTTP/2. A connection
//! (`conn`) is a task that runs hyper's state machine on a `stream`; what the task and the exchange
//! tell each other is in `link`. A long wait is spent without either (`parked`). After a `101` it
//! is one of another protocol (`switch`).

mod agreed;
pub(crate) mod answer;
pub(crate) mod body;
mod conn;
pub(crate) mod connect;
mod framing;
pub(crate) mod group;
pub(crate) mod host;
mod http2;
mod lease;
mod link;
pub(crate) mod options;
mod parked;
pub(crate) mod pool;
mod send;
mod silence;
mod socket;
mod stream;
pub(crate) mod switch;
pub(crate) mod tls;
mod words;
