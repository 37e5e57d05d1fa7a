//! The binary: reads the command line, does what it says, tells how that went.

mod ambient;
mod cli;
mod client;
mod demo;
mod exit;
mod listen;
mod output;
mod shutdown;
mod wire;

use std::process::ExitCode;

use clap::Parser;
use raincheck_config::Errors;
use serde_json::json;

use exit::Code;
use output::{Closed, Output};

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
        report(&error, out);
        exit::of(&error)
    });
    code.into()
}

/// Tells an error: for people with its causes after it, for programs as one line of JSON.
fn report(error: &anyhow::Error, out: Output) {
    if error.is::<Closed>() {
        return;
    }
    if out.is_json() {
        let code = exit::of(error);
        let findings = error.downcast_ref::<Errors>().map(Errors::findings);
        out.say(json!({
            "error": format!("{error:#}"),
            "exit_code": code.number(),
            "exit_word": code.word(),
            "findings": findings,
        }));
    } else if let Some(errors) = error.downcast_ref::<Errors>() {
        out.say(errors.render(out.colours()));
    } else {
        out.say(format_args!("error: {error:#}"));
    }
}
