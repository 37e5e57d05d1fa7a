//! (being built)
use super::BackupArgs;
use crate::exit::Code;
use crate::output::Output;

/// (being built)
pub fn run(_args: BackupArgs, _out: Output) -> anyhow::Result<Code> {
    anyhow::bail!("backup is not built yet")
}
