//! `cargo xtask bench`: measures a release build; nothing in the tests is judged by time.

use crate::shell;
use crate::task::Outcome;
use crate::test::needs;

/// Passes its arguments to the bench program.
pub fn run(args: &[String]) -> Outcome {
    needs::install_for_bench()?;
    let mut build = shell::cargo(&["build", "--release", "--locked", "-p", "raincheck"])?;
    shell::run(&mut build)?;
    let program = [
        "run",
        "--release",
        "--locked",
        "-p",
        "raincheck-bench",
        "--",
    ];
    shell::run(shell::cargo(&program)?.args(args))?;
    Ok(Vec::new())
}
