//! What the fuzzer runs: one function for each target, from bytes to a panic or to nothing.
//!
//! A target is given bytes that somebody made up (`cargo xtask fuzz`, guided by coverage) or that
//! were worth keeping (`corpus/`, which the tests run through as well). It turns them into input or
//! into a sequence of operations, and panics if a promise does not hold.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a promise that does not hold ends a run by a panic"
)]

mod targets;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, and that of its directory below `corpus/`.
    pub name: &'static str,
    /// One run.
    pub run: fn(&[u8]),
}

/// Where files cost least: in memory, where there is some for files.
fn files() -> &'static Path {
    const MEMORY: &str = "/dev/shm";
    static DIR: LazyLock<PathBuf> = LazyLock::new(|| match Path::new(MEMORY).is_dir() {
        true => MEMORY.into(),
        false => std::env::temp_dir(),
    });
    &DIR
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target("config_text", targets::config_text::run),
    target("framing", targets::framing::run),
    target("headers", targets::headers::run),
    target("job_history", targets::job_history::run),
    target("log", targets::log::run),
    target("route_table", targets::route_table::run),
    target("segment", targets::segment::run),
    target("store_history", targets::store_history::run),
    target("stored_row", targets::stored_row::run),
];

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// The target of that name.
pub fn find(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
