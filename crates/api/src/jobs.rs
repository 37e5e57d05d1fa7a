//! Jobs: one, its result, and the list.

pub(crate) mod cancel;
pub(crate) mod chain;
pub(crate) mod deliveries;
pub(crate) mod events;
mod follow;
pub(crate) mod list;
pub(crate) mod progress;
pub(crate) mod range;
pub(crate) mod result;
pub(crate) mod retry;
pub(crate) mod status;
pub(crate) mod wait;
