//! Many runs, on every core, until a number or a time is reached or something is found.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::run::{Case, Finding, Report, run};
use crate::scenarios::Scenario;

/// How many failed runs are told of before the rest is not run.
const FAILURES_MAX: usize = 5;

/// Which runs.
pub struct Orders {
    /// The scenarios, taken in turn.
    pub scenarios: Vec<&'static Scenario>,
    /// The first seed.
    pub first: u64,
    /// So many seeds for each scenario; none: until the time is over.
    pub seeds: Option<u64>,
    /// When to begin no more.
    pub until: Option<Instant>,
}

/// What a scenario's runs come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Time that passed in them.
    pub age: Duration,
    /// Processes that died.
    pub crashes: u64,
    /// Syncs.
    pub syncs: u64,
    /// Events that the checkers read.
    pub events: u64,
}

impl Totals {
    /// Adds one run.
    pub fn add(&mut self, report: &Report) {
        self.runs += 1;
        self.age += report.age;
        self.crashes += u64::from(report.crashes);
        self.syncs += report.syncs;
        self.events += report.events.len() as u64;
    }

    /// Adds others.
    pub fn join(&mut self, other: &Self) {
        self.runs += other.runs;
        self.age += other.age;
        self.crashes += other.crashes;
        self.syncs += other.syncs;
        self.events += other.events;
    }
}

/// A run in which something was found.
pub struct Failure {
    /// Which.
    pub case: Case,
    /// What.
    pub findings: Vec<Finding>,
}

/// What came of the runs.
#[derive(Default)]
pub struct Outcome {
    /// By scenario.
    pub totals: BTreeMap<&'static str, Totals>,
    /// Those in which something was found.
    pub failures: Vec<Failure>,
}

/// A seed that nobody has run yet, most likely.
pub fn fresh_seed() -> u64 {
    // Small enough to be typed.
    RandomState::new().build_hasher().finish() % 1_000_000_000
}

/// Now, on the clock of the machine that simulates.
#[expect(
    clippy::disallowed_methods,
    reason = "how long the simulation itself may take is real time"
)]
pub fn now() -> Instant {
    Instant::now()
}

/// Carries out orders.
pub fn fly(orders: &Orders) -> Outcome {
    let outcome = Mutex::new(Outcome::default());
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = take(orders, &next)
                    && !stop.load(SeqCst)
                {
                    one(case, orders, &outcome, &stop);
                }
            });
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The next seed and scenario.
fn take(orders: &Orders, next: &AtomicU64) -> Option<Case> {
    if orders.until.is_some_and(|until| now() >= until) {
        return None;
    }
    let number = next.fetch_add(1, SeqCst);
    let count = orders.scenarios.len() as u64;
    let (round, which) = (number.checked_div(count)?, number.checked_rem(count)?);
    if orders.seeds.is_some_and(|seeds| round >= seeds) {
        return None;
    }
    let scenario = orders.scenarios.get(usize::try_from(which).ok()?)?;
    Some(Case {
        seed: orders.first.wrapping_add(round),
        scenario,
        variant: 0,
    })
}

/// Runs a case, with every variant that it has.
fn one(case: Case, orders: &Orders, outcome: &Mutex<Outcome>, stop: &AtomicBool) {
    let report = run(case, None);
    let variants = match case.scenario.by_sync {
        true => u32::try_from(report.syncs * 2).unwrap_or(u32::MAX),
        false => 0,
    };
    note(case, report, outcome, stop);
    for variant in 1..=variants {
        let late = orders.until.is_some_and(|until| now() >= until);
        if late || stop.load(SeqCst) {
            return;
        }
        let case = Case { variant, ..case };
        note(case, run(case, None), outcome, stop);
    }
}

fn note(case: Case, report: Report, outcome: &Mutex<Outcome>, stop: &AtomicBool) {
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    let totals = outcome.totals.entry(case.scenario.name).or_default();
    totals.add(&report);
    if report.findings.is_empty() {
        return;
    }
    outcome.failures.push(Failure {
        case,
        findings: report.findings,
    });
    if outcome.failures.len() >= FAILURES_MAX {
        stop.store(true, SeqCst);
    }
}
