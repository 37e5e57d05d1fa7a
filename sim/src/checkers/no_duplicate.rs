//! No request reaches the backend more often than method, route and what befell the gateway allow,
//! and the status document owns up to each time.

use std::collections::BTreeMap;

use raincheck_core::id::JobId;

use crate::history::{Event, Look, Tag, What};

/// What one piece of work may cost, and has.
#[derive(Default)]
struct Work {
    repeatable: bool,
    attempts: u32,
    begun: u32,
    job: Option<JobId>,
}

/// Looks for requests that were sent too often.
pub fn check(events: &[Event]) -> Vec<String> {
    let mut works: BTreeMap<Tag, Work> = BTreeMap::new();
    // The first request of each key stands for all with the same.
    let mut keys: BTreeMap<&str, Tag> = BTreeMap::new();
    let mut first: BTreeMap<Tag, Tag> = BTreeMap::new();
    let mut reported: BTreeMap<JobId, u64> = BTreeMap::new();
    let mut found = Vec::new();
    for event in events {
        match &event.what {
            What::Sent {
                tag,
                repeatable,
                attempts,
                key,
                ..
            } => {
                let stands = match key {
                    Some(key) => *keys.entry(key).or_insert(*tag),
                    None => *tag,
                };
                first.insert(*tag, stands);
                let work = works.entry(stands).or_default();
                (work.repeatable, work.attempts) = (*repeatable, *attempts);
            }
            What::Began { tag, job, .. } => {
                let stands = first.get(tag).copied().unwrap_or(*tag);
                found.extend(begins(works.entry(stands).or_default(), *tag, *job));
            }
            What::Looked {
                job,
                look: Look::Status(standing),
            } if standing.is_finished() => _ = reported.insert(*job, standing.executions),
            _ => {}
        }
    }
    found.extend(too_often(&works, disturbances(events)));
    found.extend(understated(&works, &reported));
    found
}

fn begins(work: &mut Work, tag: Tag, job: Option<JobId>) -> Option<String> {
    work.begun += 1;
    let before = *work.job.get_or_insert(job?);
    (Some(before) != job)
        .then(|| format!("#{tag} reached the backend as {before} and as another job: {job:?}"))
}

/// How often the gateway may have lost track of an attempt: each time allows for one more. A disk
/// that is full for minutes is one of them: then an end that could not be told is given up.
fn disturbances(events: &[Event]) -> u32 {
    let disturbs = |event: &&Event| match &event.what {
        What::Process { what, .. } => *what != "starts",
        What::Fault(what) => ["freezes", "clock", "full"]
            .iter()
            .any(|trouble| what.contains(trouble)),
        _ => false,
    };
    u32::try_from(events.iter().filter(disturbs).count()).unwrap_or(u32::MAX)
}

fn too_often(works: &BTreeMap<Tag, Work>, disturbances: u32) -> Vec<String> {
    let over = |(tag, work): (&Tag, &Work)| {
        let allowed = match work.repeatable {
            true => work.attempts.saturating_add(disturbances),
            false => 1,
        };
        (work.begun > allowed).then(|| {
            format!(
                "#{tag} reached the backend {} times, {allowed} are allowed (repeatable: {})",
                work.begun, work.repeatable
            )
        })
    };
    works.iter().filter_map(over).collect()
}

/// Jobs whose status document, once they had ended, tells of fewer executions than there were.
fn understated(works: &BTreeMap<Tag, Work>, reported: &BTreeMap<JobId, u64>) -> Vec<String> {
    let lies = |work: &Work| {
        let job = work.job?;
        let told = *reported.get(&job)?;
        (u64::from(work.begun) > told).then(|| {
            let begun = work.begun;
            format!("{job} reached the backend {begun} times and says {told}")
        })
    };
    works.values().filter_map(lies).collect()
}
