//! `raincheck backup`: a copy of a data directory, also of one that is being served.

use raincheck_store_local::{BackupError, backup};
use serde_json::json;

use super::BackupArgs;
use super::load::of_existing;
use crate::exit::Code;
use crate::output::Output;

/// Copies. Bodies that are missing in the source make the copy as damaged as the source is.
pub fn run(args: BackupArgs, out: Output) -> anyhow::Result<Code> {
    let from = args.store.path()?;
    let to = &args.to;
    let report = backup(&from, to).map_err(|error| match error {
        BackupError::Source(error) => of_existing(error),
        error => error.into(),
    })?;
    if out.is_json() {
        out.document(&json!({
            "from": from.display().to_string(),
            "to": to.display().to_string(),
            "database_bytes": report.database_bytes,
            "bodies": report.bodies,
            "missing": report.missing,
        }))?;
    } else {
        out.line(format_args!(
            "copied {} to {}: {} bytes of records, {} bodies",
            from.display(),
            to.display(),
            report.database_bytes,
            report.bodies
        ))?;
    }
    if report.missing == 0 {
        return Ok(Code::Ok);
    }
    if !out.is_json() {
        out.say(format_args!(
            "{} bodies are missing in {}; for the jobs they belong to: raincheck verify --store-path {}",
            report.missing,
            from.display(),
            to.display()
        ));
    }
    Ok(Code::StoreDamaged)
}
