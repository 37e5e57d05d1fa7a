//! (being built)
use super::VerifyArgs;
use crate::exit::Code;
use crate::output::Output;

/// (being built)
pub fn run(_args: VerifyArgs, _out: Output) -> anyhow::Result<Code> {
    anyhow::bail!("verify is not built yet")
}
