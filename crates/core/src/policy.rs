//! Decisions, one question per file, each a pure function.

pub mod hold;
pub mod retry;
pub mod timeout;
