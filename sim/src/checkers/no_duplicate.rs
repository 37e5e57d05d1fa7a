//! No request reaches the backend more often than method, route and what befell the gateway allow;
//! what is asked for again under the same key is not done again; and the status document owns up
//! to each time.

use std::collections::BTreeMap;

use raincheck_core::id::JobId;
use raincheck_core::job::Status;

use crate::history::{Event, Look, Tag, What};

/// What is known of one request.
#[derive(Clone, Default)]
struct Terms {
    repeatable: bool,
    attempts: u32,
    key: Option<String>,
}

#[derive(Default)]
struct Known {
    requests: BTreeMap<Tag, Terms>,
    /// What each job may cost, and how often it has reached the backend.
    jobs: BTreeMap<JobId, (Terms, u32)>,
    /// The job as which each request without a key reached the backend.
    tags: BTreeMap<Tag, JobId>,
    /// The last job of each key that reached it.
    keys: BTreeMap<String, JobId>,
    /// How each job stands on disk; none: it was forgotten.
    durable: BTreeMap<JobId, Option<Status>>,
    /// What its status document says, once it has ended.
    reported: BTreeMap<JobId, u64>,
}

/// Looks for requests that were sent too often.
pub fn check(events: &[Event]) -> Vec<String> {
    let mut known = Known::default();
    let mut found: Vec<String> = events
        .iter()
        .filter_map(|event| known.step(&event.what))
        .collect();
    found.extend(known.too_often(disturbances(events)));
    found.extend(known.understated());
    found
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

impl Known {
    fn step(&mut self, what: &What) -> Option<String> {
        match what {
            What::Sent {
                tag,
                repeatable,
                attempts,
                key,
                ..
            } => {
                let terms = Terms {
                    repeatable: *repeatable,
                    attempts: *attempts,
                    key: key.clone(),
                };
                self.requests.insert(*tag, terms);
                None
            }
            What::Began { tag, job, .. } => self.begins(*tag, (*job)?),
            What::Durable { job, status, .. } => {
                self.durable.insert(*job, *status);
                None
            }
            What::Looked {
                job,
                look: Look::Status(standing),
            } if standing.is_finished() => {
                self.reported.insert(*job, standing.executions);
                None
            }
            _ => None,
        }
    }

    fn begins(&mut self, tag: Tag, job: JobId) -> Option<String> {
        let terms = self.requests.get(&tag).cloned().unwrap_or_default();
        let entry = self.jobs.entry(job).or_insert((terms.clone(), 0));
        entry.1 += 1;
        let Some(key) = terms.key else {
            let before = *self.tags.entry(tag).or_insert(job);
            return (before != job)
                .then(|| format!("#{tag} reached the backend as {before} and as {job}"));
        };
        let before = self.keys.insert(key.clone(), job)?;
        let runs_anew = match self.durable.get(&before) {
            _ if before == job => true,
            Some(None) => true,
            Some(Some(Status::Failed | Status::Cancelled | Status::Expired)) => terms.repeatable,
            Some(Some(_)) | None => false,
        };
        (!runs_anew).then(|| {
            let stands = self.durable.get(&before);
            format!("{key} reached the backend as {before} ({stands:?}) and as {job}")
        })
    }

    fn too_often(&self, disturbances: u32) -> Vec<String> {
        let over = |(job, (terms, begun)): (&JobId, &(Terms, u32))| {
            let allowed = match terms.repeatable {
                true => terms.attempts.saturating_add(disturbances),
                false => 1,
            };
            (*begun > allowed).then(|| {
                let repeatable = terms.repeatable;
                format!(
                    "{job} reached the backend {begun} times, {allowed} are allowed (repeatable: \
                     {repeatable})"
                )
            })
        };
        self.jobs.iter().filter_map(over).collect()
    }

    /// Jobs whose status document, once they had ended, tells of fewer executions than there were.
    fn understated(&self) -> Vec<String> {
        let lies = |(job, (_, begun)): (&JobId, &(Terms, u32))| {
            let told = *self.reported.get(job)?;
            (u64::from(*begun) > told)
                .then(|| format!("{job} reached the backend {begun} times and says {told}"))
        };
        self.jobs.iter().filter_map(lies).collect()
    }
}
