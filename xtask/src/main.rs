//! `cargo xtask`: the one way to build, check, test and measure raincheck.
//!
//! Without an argument it lists every task. CI runs these same tasks, so nothing can pass here and
//! mean something else there.

mod bench;
mod ci;
mod docs;
mod e2e;
mod fmt;
mod fuzz;
mod layers;
mod lint;
mod metadata;
mod shell;
mod sim;
mod task;
mod test;
mod tidy;

use std::process::ExitCode;

/// `EX_USAGE` of sysexits.h, which the binary uses for bad usage too.
const EXIT_USAGE: u8 = 64;

fn main() -> ExitCode {
    if let Some(code) = fuzz::as_compiler() {
        return code;
    }
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        print!("{}", task::list());
        return ExitCode::SUCCESS;
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", task::list());
        return ExitCode::SUCCESS;
    }
    let Some(task) = task::find(&name) else {
        eprint!("error: there is no task `{name}`\n\n{}", task::list());
        return ExitCode::from(EXIT_USAGE);
    };
    let args: Vec<String> = args.collect();
    match (task.run)(&args) {
        Ok(notes) => {
            for note in notes {
                eprintln!("{name}: {note}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
