//! A job ends exactly once: on disk, and in the eyes of everybody who looks.

use std::collections::BTreeMap;

use raincheck_core::id::JobId;
use raincheck_core::job::Status;

use crate::history::{Event, Look, Standing, What};

/// What is known of one job.
#[derive(Default)]
struct Known {
    /// How it ended on disk.
    ended: Option<(Status, u64)>,
    /// What the first client saw that saw it finished.
    seen: Option<Standing>,
}

/// Looks for jobs that end twice or differently.
pub fn check(events: &[Event]) -> Vec<String> {
    let mut jobs: BTreeMap<JobId, Known> = BTreeMap::new();
    let mut found = Vec::new();
    for event in events {
        match &event.what {
            What::Durable {
                job, status, token, ..
            } => found.extend(durable(
                jobs.entry(*job).or_default(),
                *job,
                *status,
                *token,
            )),
            What::Looked {
                job,
                look: Look::Status(standing),
            } => found.extend(seen(jobs.entry(*job).or_default(), *job, standing)),
            _ => {}
        }
    }
    found
}

fn durable(known: &mut Known, job: JobId, status: Option<Status>, token: u64) -> Option<String> {
    let before = known.ended;
    let status = status?;
    if status.is_finished() {
        known.ended = Some((status, token));
    }
    let (ended, by) = before?;
    Some(format!(
        "{job} had ended as {} (token {by}) and then became {} (token {token})",
        ended.as_str(),
        status.as_str()
    ))
}

fn seen(known: &mut Known, job: JobId, standing: &Standing) -> Option<String> {
    let before = known.seen.clone();
    if standing.is_finished() && before.is_none() {
        known.seen = Some(standing.clone());
        return match known.ended {
            Some((ended, _)) if ended.as_str() == standing.status => None,
            ended => Some(format!(
                "{job} is shown as {} while the disk has {ended:?}",
                standing.status
            )),
        };
    }
    let before = before.filter(|before| before != standing)?;
    Some(format!(
        "{job} was shown as {before:?} and then as {standing:?}"
    ))
}
