//! How results are told: figures to stdout, findings with the command that brings them back.

use std::time::Duration;

use anyhow::bail;

use crate::fleet::{Outcome, Totals};
use crate::run::{Case, Finding, Report};

/// Findings of one run that are shown.
const FINDINGS_MAX: usize = 6;

/// Tells of one run.
///
/// # Errors
/// Something was found.
pub fn report(case: Case, report: &Report) -> anyhow::Result<()> {
    let mut totals = Totals::default();
    totals.add(report);
    println!("{}: {}", case.scenario.name, figures(&totals));
    if report.findings.is_empty() {
        return Ok(());
    }
    findings(case, &report.findings);
    bail!("the simulation found something; the findings are above");
}

/// Tells of many runs.
///
/// # Errors
/// Something was found.
pub fn outcome(
    what: &str,
    first: u64,
    outcome: &Outcome,
    took: Duration,
) -> anyhow::Result<Totals> {
    let mut all = Totals::default();
    for (name, totals) in &outcome.totals {
        println!("  {name:15} {}", figures(totals));
        all.join(totals);
    }
    println!(
        "{what} from {first}: {} in {:.1} s",
        figures(&all),
        took.as_secs_f64()
    );
    for failure in &outcome.failures {
        findings(failure.case, &failure.findings);
    }
    if !outcome.failures.is_empty() {
        bail!("the simulation found something; the findings are above");
    }
    Ok(all)
}

/// Tells of everything that was run.
pub fn all(totals: &Totals, took: Duration) {
    let seconds = took.as_secs_f64();
    println!(
        "simulation: {}, all well, in {seconds:.0} s",
        figures(totals)
    );
}

fn figures(totals: &Totals) -> String {
    let hours = totals.age.as_secs_f64() / 3600.0;
    let Totals {
        runs,
        crashes,
        syncs,
        events,
        ..
    } = totals;
    format!(
        "{runs} runs, {hours:.0} simulated hours, {crashes} crash points, {syncs} syncs, \
         {events} events"
    )
}

fn findings(case: Case, findings: &[Finding]) {
    eprintln!("\nFOUND by {}", case.command());
    for finding in findings.iter().take(FINDINGS_MAX) {
        eprintln!("  {}: {}", finding.checker, finding.what);
    }
    if findings.len() > FINDINGS_MAX {
        eprintln!("  and {} more", findings.len() - FINDINGS_MAX);
    }
}
