//! `raincheck verify`: every record and every byte of a data directory that no process uses.

use raincheck_store_local::{Finding, Report, verify};
use serde_json::{Value, json};

use super::VerifyArgs;
use super::load::of_existing;
use crate::exit::Code;
use crate::output::{Output, Table, printable};

/// Checks, and lists what is wrong.
pub fn run(args: VerifyArgs, out: Output) -> anyhow::Result<Code> {
    let path = args.dir.map_or_else(|| args.store.path(), Ok)?;
    if out.is_watched() {
        out.say(format_args!("checking {}", path.display()));
    }
    let report = verify(&path).map_err(of_existing)?;
    if out.is_json() {
        out.document(&document(&report))?;
    } else {
        show(&report, out)?;
    }
    if report.is_whole() {
        return Ok(Code::Ok);
    }
    if !out.is_json() {
        out.say(format_args!(
            "{} is damaged; nothing was changed. Copy it before anything else, then restore a \
             backup, or go on: jobs that are not named here are whole",
            path.display()
        ));
    }
    Ok(Code::StoreDamaged)
}

fn show(report: &Report, out: Output) -> anyhow::Result<()> {
    let mut table = Table::bare();
    let counts = [
        ("jobs", report.jobs.to_string()),
        ("requests", report.requests.to_string()),
        ("responses", report.responses.to_string()),
        ("keys", report.keys.to_string()),
        (
            "body files",
            format!("{} with {} bytes", report.bodies, report.body_bytes),
        ),
        (
            "left over",
            format!(
                "{} body files, deleted at the next start",
                report.unreferred
            ),
        ),
        (
            "damaged",
            (report.findings.len() as u64 + report.more).to_string(),
        ),
    ];
    for (name, count) in counts {
        table.row(vec![name.to_owned(), count]);
    }
    out.line(table)?;
    for finding in &report.findings {
        out.line(told(finding))?;
    }
    if report.more > 0 {
        out.line(format_args!("... and {} more", report.more))?;
    }
    Ok(())
}

fn told(finding: &Finding) -> String {
    let at = finding
        .offset
        .map(|at| format!(" at byte {at}"))
        .unwrap_or_default();
    let job = finding
        .job
        .as_ref()
        .map(|job| format!(" (job {job})"))
        .unwrap_or_default();
    let Finding { file, problem, .. } = finding;
    printable(&format!("{file}{at}{job}: {problem}"))
}

fn document(report: &Report) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "file": finding.file,
            "offset": finding.offset,
            "job_id": finding.job,
            "problem": finding.problem,
        })
    };
    json!({
        "ok": report.is_whole(),
        "jobs": report.jobs,
        "requests": report.requests,
        "responses": report.responses,
        "keys": report.keys,
        "bodies": report.bodies,
        "body_bytes": report.body_bytes,
        "unreferred": report.unreferred,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "more": report.more,
    })
}
