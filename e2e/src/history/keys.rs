//! What a key promises: its request is not run twice, but where that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Breach, Broken, History, Sight, key, repeatable};
use crate::expect::FINISHED;

/// Every job that another one followed under its key, and should not have been. Ids are in the
/// order in which jobs began.
pub(super) fn run_twice(history: &History, ended: bool) -> Vec<Broken> {
    let promised = history.promises.iter();
    let promised = promised.map(|(id, promise)| (promise.number, id.as_str()));
    let arrived = history.arrivals.iter();
    let arrived = arrived.map(|arrival| (arrival.number, arrival.job.as_str()));
    let mut keys: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
    for (number, id) in promised.chain(arrived) {
        if key(number).is_some() {
            keys.entry(number).or_default().insert(id);
        }
    }
    let mut broken = Vec::new();
    for (number, jobs) in &keys {
        for (id, next) in jobs.iter().zip(jobs.iter().skip(1)) {
            if let Some(why) = binds(history, ended, *number, id) {
                broken.push(Broken {
                    job: (*id).to_owned(),
                    promise: Breach::RunTwice,
                    seen: format!("{why}; then job {next} under the same key"),
                });
            }
        }
    }
    broken
}

/// Why no other job may follow this one under its key; none: one may.
fn binds(history: &History, ended: bool, number: u64, id: &str) -> Option<String> {
    let sights = || history.sights.iter().filter(|(of, _)| of == id);
    if sights().any(|(_, sight)| matches!(sight, Sight::Answer { .. })) {
        return Some("it has an answer".to_owned());
    }
    let seen = history.arrivals.iter().filter(|at| at.job == id).count();
    let end = sights().find_map(|(_, sight)| match sight {
        Sight::Status {
            status, executions, ..
        } if FINISHED.contains(&status.as_str()) => Some((status.as_str(), *executions)),
        _ => None,
    });
    match end {
        Some(("succeeded", _)) => Some("it succeeded".to_owned()),
        Some(_) if repeatable(number) => None,
        Some((_, 0)) if seen == 0 => None,
        Some((status, executions)) => Some(format!(
            "{status}, may not be repeated, said to be sent {executions} times, seen {seen} times"
        )),
        // It may have ended since it was looked at.
        None if !ended && (repeatable(number) || seen == 0) => None,
        None => Some(format!("not seen to end, seen {seen} times")),
    }
}
