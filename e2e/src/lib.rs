//! Tools for black-box tests of the real `raincheck` binary: a backend that does exactly what a
//! script says, a client that shows exactly what came over the wire, and a harness that starts,
//! watches, kills and restarts the process.
//!
//! Nothing here speaks HTTP through a library: a library on either side would repair, hide or
//! refuse the very bytes that the tests are about. Nothing here sleeps either: a test waits for a
//! named [`Event`], for a fact in the backend's log, or for bytes, and each wait is bounded.

pub mod authority;
pub mod backend;
pub mod bound;
pub mod corpus;
pub mod curl;
pub mod cutter;
pub mod dice;
pub mod event;
pub mod expect;
pub mod frames;
pub mod history;
pub mod jobs;
pub mod lives;
pub mod loopback;
pub mod nginx;
pub mod pattern;
pub mod power;
pub mod process;
pub mod raw;
pub mod request;
pub mod wire;

pub use backend::{Backend, Script, Seen};
pub use bound::{Must, WAIT, until, within};
pub use event::{Event, Gate};
pub use jobs::{Ticket, ticket};
pub use process::{Config, Raincheck};
pub use raw::{Client, Response};
pub use wire::End;
