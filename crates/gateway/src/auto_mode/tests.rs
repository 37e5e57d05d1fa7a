//! The end of the hold, raced: whatever comes at the same moment, the client gets the response or a
//! ticket, and a ticket leads to the same response.
//!
//! Exchanges are made by hand here, so that a paused clock decides when they end.

mod boundary;
mod gone;
mod kept;
mod rig;
