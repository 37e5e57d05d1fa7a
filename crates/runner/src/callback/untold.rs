//! Ends that are to be told where nothing can tell them: the keys were taken out of the config while
//! messages waited. They stay, with their jobs, and the operator is told.

use std::sync::Arc;

use raincheck_core::time::Timestamp;

use crate::Shared;

/// Messages that are counted at most; beyond that it only matters that they are many.
const COUNTED: usize = 1000;
/// Jobs that are named at most.
const NAMED: usize = 3;

/// Looks once, at the start.
pub(crate) async fn run(shared: Arc<Shared>) {
    let waiting = match shared.store.to_tell(None, Timestamp::MAX, COUNTED).await {
        Ok(waiting) => waiting,
        Err(error) => {
            tracing::error!(%error, "whether webhooks wait could not be read");
            return;
        }
    };
    if waiting.is_empty() {
        return;
    }
    let named: Vec<String> = waiting
        .iter()
        .take(NAMED)
        .map(|found| found.job.to_string())
        .collect();
    let (count, jobs) = (waiting.len(), named.join(", "));
    let or_more = if count == COUNTED { " or more" } else { "" };
    tracing::warn!(
        waiting = format!("{count}{or_more}"),
        jobs,
        "webhooks wait and are not sent, as `webhooks.keys` has no key; they are sent when it has \
         one again, and kept with their jobs until then"
    );
}
