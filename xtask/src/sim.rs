//! `cargo xtask sim`: builds the simulation with what makes it deterministic, and runs it.

use crate::shell;
use crate::task::Outcome;

/// Lets the seed decide the dice of the runtime too; without it the simulation refuses to run.
const CFG: &str = "--cfg tokio_unstable";

/// Passes its arguments to the simulation.
pub fn run(args: &[String]) -> Outcome {
    let program = [
        "run",
        "--quiet",
        "--profile",
        "sim",
        "--locked",
        "-p",
        "raincheck-sim",
        "--",
    ];
    let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = shell::cargo(&program)?;
    command.env("RUSTFLAGS", format!("{flags} {CFG}").trim_start());
    shell::run(command.args(args))?;
    Ok(Vec::new())
}
