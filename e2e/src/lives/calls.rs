//! Who is told of the ends of some jobs: it takes each call the second time, so that calls are made
//! again, also by the next life of the gateway.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::eye::status_of;
use crate::backend::{Backend, Script, Seen};
use crate::history::Told;
use crate::process::Config;

/// Waits between calls: more than one gateway can die in.
const WAITS: usize = 12;

/// A receiver.
pub(super) async fn receiver() -> Backend {
    let known = Arc::new(Mutex::new(BTreeSet::new()));
    Backend::start(move |seen| {
        let id = seen.header("webhook-id").unwrap_or_default();
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.insert(id) {
            true => Script::new().respond("503 Service Unavailable", &[], "later"),
            false => Script::new().ok("thanks"),
        }
    })
    .await
}

/// A config whose last route lets its callers be told.
pub(super) fn with_calls(config: Config) -> Config {
    let schedule = ["\"20ms\""; WAITS].join(", ");
    config
        .with("callback = { header = \"Callback-Url\" }")
        .webhooks("keys = [\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\"]")
        .webhooks("allow = [\"127.0.0.0/8\"]")
        .webhooks(&format!("schedule = [{schedule}]"))
}

/// What it was told, where that came whole.
pub(super) fn told(seen: &Seen) -> Option<Told> {
    let event: Value = serde_json::from_slice(&seen.body.bytes).ok()?;
    let data = &event["data"];
    Some(Told {
        job: data["job_id"].as_str()?.to_owned(),
        event: seen.header("webhook-id")?,
        kind: event["type"].as_str()?.to_owned(),
        sight: status_of(data)?,
    })
}
