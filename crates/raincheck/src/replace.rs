//! One process takes the place of another without a request that fails.
//!
//! The successor ([`successor`]) gets everything ready but the store, and says so. The one that
//! serves ([`predecessor`]) lets its jobs' attempts come to an end, then stops accepting, passes on
//! the listeners and every connection between two requests, closes the store and says so. New
//! clients wait in the kernel's queue meanwhile. The successor opens the store and serves. What is
//! still relayed goes on in the old process to its end. `docs/design/0007-replacement.md` says why.

pub mod channel;
pub mod notify;
pub mod passage;
pub mod predecessor;
pub mod successor;

use std::time::Duration;

/// The socket's name in the data directory.
pub const POST: &str = "replace.sock";
/// How long the other side may take for what needs no wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long whoever needs the store just now may take, while nobody is accepted.
const PAUSE: Duration = Duration::from_secs(2);
