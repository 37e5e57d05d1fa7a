//! `raincheck completions`: what a shell needs to complete our command line.

use clap_complete::generate;

use super::CompletionsArgs;
use crate::exit::Code;
use crate::output::Output;

/// Prints the completions. They are made in memory: the generator panics when it cannot write.
pub fn run(args: &CompletionsArgs, out: Output) -> anyhow::Result<Code> {
    let mut script = Vec::new();
    generate(args.shell, &mut super::command(), "raincheck", &mut script);
    out.bytes(&script)?;
    Ok(Code::Ok)
}
