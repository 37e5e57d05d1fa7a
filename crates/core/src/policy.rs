//! Decisions, one question per file, each a pure function.

pub mod balance;
pub mod condition;
pub mod dedup;
pub mod delivery;
pub mod hold;
pub mod keepalive;
pub mod redirect;
pub mod retry;
pub mod timeout;
