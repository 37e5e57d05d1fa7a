//! The binary on its command line: usage, exit codes, and its commands against a gateway by script.

#![expect(
    clippy::unwrap_used,
    reason = "a test and its helpers fail by panicking"
)]

mod gateway;
mod jobs;
mod process;
mod submit;
mod usage;
mod wait;
