//! The compiler with coverage: `xtask` itself, put in front of rustc for the crates of this
//! workspace.
//!
//! Flags for every crate (`RUSTFLAGS`) would have the whole tree of dependencies built a second
//! time, SQLite and the TLS primitives with it. A wrapper of the workspace's crates does not, and
//! the fuzzer is to look into those crates only.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Set by [`ask`], and only there: cargo then starts us as its compiler.
const VARIABLE: &str = "RAINCHECK_FUZZ_COMPILER";

/// What cargo-fuzz gives rustc as well. Optimised, because it is the number of runs that finds
/// something; with the checks of a debug build, because those are what finds it.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Copt-level=2",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];

/// Has cargo build the workspace's crates with coverage.
pub fn ask(command: &mut Command) -> std::io::Result<&mut Command> {
    let wrapper = std::env::current_exe()?;
    Ok(command
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .env(VARIABLE, "1"))
}

/// Runs rustc as asked by cargo, if that is what we were started for.
pub fn as_compiler() -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let mut args = std::env::args_os().skip(1);
    let rustc = args.next()?;
    let args: Vec<OsString> = args.collect();
    let mut command = Command::new(rustc);
    command.args(&args).env_remove(VARIABLE);
    // Questions of cargo's have no crate.
    if args.iter().any(|arg| arg == "--crate-name") {
        command.args(FLAGS);
    }
    match command.status() {
        Ok(status) if status.success() => Some(ExitCode::SUCCESS),
        Ok(_) => Some(ExitCode::FAILURE),
        Err(error) => {
            eprintln!("error: rustc could not be started: {error}");
            Some(ExitCode::FAILURE)
        }
    }
}
