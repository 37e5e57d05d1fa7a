//! Recording, following and replaying, on the model store and with responses made by hand.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod limits;
mod outbound;
mod recording;
mod replay;
mod resume;
mod script;
mod stored;
