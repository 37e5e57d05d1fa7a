//! The binary: reads the command line, does what it says, tells how that went.

mod ambient;
mod certificates;
mod cli;
mod client;
mod demo;
mod exit;
mod listen;
mod listeners;
mod output;
mod replace;
mod report;
mod shutdown;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use exit::Code;
use output::Output;

/// The system's allocator keeps what threads free to itself; under load that is half of our memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and the version are data, mistakes are talk; clap knows which is which.
            _ = error.print();
            let code = if error.use_stderr() {
                Code::Usage
            } else {
                Code::Ok
            };
            return code.into();
        }
    };
    let out = Output::new(cli.json);
    let code = cli::run(cli).unwrap_or_else(|error| {
        let code = exit::of(&error);
        report::report(&error, Some(code), out);
        code
    });
    code.into()
}
