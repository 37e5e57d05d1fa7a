//! Ways to reach the code that does the work. Today one: we call it over HTTP (`push`), one
//! server or whichever of several has the fewest requests in flight.
//!
//! A request is sent once, on a connection of our own pool, and the answer says truthfully how it
//! ended: a body that was cut is an error and never a clean end, and a [`Failure`] says whether
//! the backend may have seen the request. Every connection has a kill switch: dropping the future
//! of [`Upstreams::send`] or an [`AnswerBody`] before its end closes the socket.
//!
//! [`egress`] is for URLs that callers named: posted to once, and never where they must not lead.
//!
//! [`Failure`]: raincheck_core::outcome::Failure

mod client_time;
pub mod egress;
mod push;
#[cfg(feature = "testing")]
pub mod testing;

pub use client_time::{ClientTime, Until};
pub use push::answer::{Answer, AnswerBody};
pub use push::body::{BoxError, OutBody};
pub use push::group::show::ServerState;
pub use push::host::Counts;
pub use push::options::{Error, Options};
pub use push::pool::Upstreams;
pub use push::switch::{Switched, Switches, Switching};
