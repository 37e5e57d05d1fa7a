//! A ticket that a client holds is durable before it is given, is known until its time is over,
//! and comes to an end.

use std::collections::{BTreeMap, BTreeSet};

use raincheck_core::id::JobId;

use crate::history::{Event, Look, What};

#[derive(Default)]
struct Known {
    /// Jobs on disk, and whether they have ended.
    durable: BTreeMap<JobId, bool>,
    forgotten: BTreeSet<JobId>,
    tickets: BTreeSet<JobId>,
}

/// Looks for tickets that lead nowhere.
pub fn check(events: &[Event]) -> Vec<String> {
    let mut known = Known::default();
    let mut found: Vec<String> = events
        .iter()
        .filter_map(|event| known.step(&event.what))
        .collect();
    let unended = |job: &&JobId| known.durable.get(job) != Some(&true);
    let unended = known.tickets.iter().filter(unended);
    found.extend(unended.map(|job| format!("{job} has a ticket and never ended")));
    found
}

impl Known {
    fn step(&mut self, what: &What) -> Option<String> {
        match what {
            What::Durable { job, status, .. } => {
                match status {
                    Some(status) => _ = self.durable.insert(*job, status.is_finished()),
                    None => _ = self.forgotten.insert(*job),
                }
                None
            }
            What::Ticket { tag, job } => {
                self.tickets.insert(*job);
                let durable = self.durable.contains_key(job);
                (!durable).then(|| format!("#{tag} got a ticket for {job} before it was durable"))
            }
            What::Looked {
                job,
                look: Look::Unknown,
            } if !self.forgotten.contains(job) => Some(format!("{job} is not known any more")),
            What::Unfinished { job } => Some(format!("{job} does not come to an end")),
            _ => None,
        }
    }
}
