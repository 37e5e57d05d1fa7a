//! The fuzzer's program: libFuzzer around the target that an environment variable names.
//!
//! One program for all targets: linking takes longer than compiling them.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use raincheck_fuzz::{TARGETS, Target, find};

/// Names the target.
const VARIABLE: &str = "RAINCHECK_FUZZ_TARGET";

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var(VARIABLE).unwrap_or_default();
    find(&name).unwrap_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("set {VARIABLE} to one of: {}", names.join(", "));
        std::process::exit(64)
    })
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));
