//! The negative controls: each world here is broken in one way, and its checker must say so. A
//! checker that never bites proves nothing.

use crate::broken::Broken;
use crate::run::{Case, run};
use crate::scenarios;

/// Seeds that are tried until the checker bites.
const SEEDS: u64 = 40;

/// What is broken, where, and who must notice.
pub struct Control {
    /// What.
    pub broken: Broken,
    scenario: &'static str,
    /// Who.
    pub checker: &'static str,
    /// A variant in which something dies, where that is what brings it to light.
    variant: u32,
}

/// At least one for each checker.
pub const ALL: &[Control] = &[
    Control {
        broken: Broken::ForgetsCommit,
        scenario: "crash_anywhere",
        checker: "no_lost_ticket",
        variant: 0,
    },
    Control {
        broken: Broken::AcknowledgesEarly,
        scenario: "crash_commit",
        checker: "no_lost_ticket",
        variant: 7,
    },
    Control {
        broken: Broken::TakesLateEnds,
        scenario: "frozen",
        checker: "one_outcome",
        variant: 0,
    },
    Control {
        broken: Broken::FlipsByte,
        scenario: "hold_edge",
        checker: "exact_replay",
        variant: 0,
    },
    Control {
        broken: Broken::SendsTwice,
        scenario: "hold_edge",
        checker: "no_duplicate",
        variant: 0,
    },
    Control {
        broken: Broken::ForgetsKeys,
        scenario: "retry_storm",
        checker: "no_duplicate",
        variant: 0,
    },
    Control {
        broken: Broken::KeepsAll,
        scenario: "hold_edge",
        checker: "bounded",
        variant: 0,
    },
];

/// The seed at which the checker bit, and what it said.
///
/// # Errors
/// In words, if it never did.
pub fn check(control: &Control) -> Result<(u64, String), String> {
    let Some(scenario) = scenarios::named(control.scenario) else {
        return Err(format!("there is no scenario {}", control.scenario));
    };
    for seed in 1..=SEEDS {
        let case = Case {
            seed,
            scenario,
            variant: control.variant,
        };
        let mut findings = run(case, Some(control.broken)).findings.into_iter();
        if let Some(finding) = findings.find(|finding| finding.checker == control.checker) {
            return Ok((seed, finding.what));
        }
    }
    Err(format!(
        "a world that is broken ({:?}) passed {} in {SEEDS} seeds of {}",
        control.broken, control.checker, control.scenario
    ))
}
