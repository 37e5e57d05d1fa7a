//! What a client gets is what the backend said: all of it, nothing else, and the same each time.

use std::collections::BTreeMap;

use raincheck_core::id::JobId;

use crate::history::{Event, Got, Look, Message, Tag, What};

#[derive(Default)]
struct Known {
    /// What the backend has said to each request, whole answers only.
    said: BTreeMap<Tag, Vec<Message>>,
    /// The request behind each job.
    tags: BTreeMap<JobId, Tag>,
    /// The requests that carried each key.
    keys: BTreeMap<Tag, Option<String>>,
    /// The first result that was shown of each job.
    results: BTreeMap<JobId, Got>,
    /// Jobs that were shown as succeeded.
    succeeded: Vec<JobId>,
}

/// Looks for answers that the backend never gave, and for results that change.
pub fn check(events: &[Event]) -> Vec<String> {
    let mut known = Known::default();
    events
        .iter()
        .filter_map(|event| known.step(&event.what))
        .collect()
}

impl Known {
    fn step(&mut self, what: &What) -> Option<String> {
        match what {
            What::Sent { tag, key, .. } => {
                self.keys.insert(*tag, key.clone());
                None
            }
            What::Began {
                tag,
                run,
                job,
                mangled,
                ..
            } => {
                self.tags.extend(job.map(|job| (job, *tag)));
                mangled.then(|| format!("#{tag} run {run}: the backend got another body"))
            }
            What::Said { tag, message, .. } => {
                let said = self.said.entry(*tag).or_default();
                said.push((**message).clone());
                None
            }
            What::Answered { tag, got } if !got.by_gateway => self.answer(*tag, got),
            What::Looked {
                job,
                look: Look::Status(standing),
            } if standing.status == "succeeded" => {
                self.succeeded.push(*job);
                None
            }
            What::Looked {
                job,
                look: Look::Result(got),
            } => self.result(*job, got),
            _ => None,
        }
    }

    /// Whether the backend said this to this request, or to another with the same key.
    fn was_said(&self, tag: Tag, message: &Message) -> bool {
        let key = self.keys.get(&tag).cloned().flatten();
        let same = |other: &Tag| {
            *other == tag || (key.is_some() && self.keys.get(other).cloned().flatten() == key)
        };
        self.said
            .iter()
            .filter(|(other, _)| same(other))
            .any(|(_, said)| said.contains(message))
    }

    fn answer(&self, tag: Tag, got: &Got) -> Option<String> {
        let said = self.was_said(tag, &got.message);
        (!said).then(|| format!("#{tag} got what the backend never said to it: {got}"))
    }

    fn result(&mut self, job: JobId, got: &Got) -> Option<String> {
        if let Some(first) = self.results.get(&job) {
            let same = first == got;
            return (!same).then(|| format!("the result of {job} was {first} and is {got}"));
        }
        self.results.insert(job, got.clone());
        if got.by_gateway {
            let succeeded = self.succeeded.contains(&job);
            return succeeded.then(|| format!("{job} succeeded and its result is {got}"));
        }
        let tag = self.tags.get(&job).copied();
        let said = tag.is_some_and(|tag| self.was_said(tag, &got.message));
        (!said).then(|| format!("the result of {job} is what the backend never said: {got}"))
    }
}
