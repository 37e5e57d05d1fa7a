//! The status document of a job with its result in it, where that is small JSON.

use http::header;
use raincheck_core::job::Job;
use raincheck_core::limits::RESULT_INLINE_BYTES;
use serde_json::Value;

use crate::{Runner, result, status};

/// A job's status document as it is told everywhere.
pub async fn document(runner: &Runner, links: &status::Links, job: &Job) -> Value {
    let result = inline(runner, job).await;
    let progress = runner.progress(job).map(|(_, progress)| progress);
    status::document(job, links, progress.as_ref(), result)
}

/// The response body, when it is plain JSON of at most [`RESULT_INLINE_BYTES`]. A damaged one is
/// not shown; the result endpoint says so.
async fn inline(runner: &Runner, job: &Job) -> Option<Value> {
    let response = job.response()?;
    let kind = response.content_type.as_deref()?.split(';').next()?.trim();
    let json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    if !json || response.content_length > RESULT_INLINE_BYTES {
        return None;
    }
    let stored = result::stored(runner.store(), job).await.ok()??;
    if stored.head.headers.contains_key(header::CONTENT_ENCODING) {
        return None;
    }
    let reader = runner.store().open(&stored.body).await.ok()?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < stored.body.len() {
        let piece = reader
            .read(bytes.len() as u64, RESULT_INLINE_BYTES as usize)
            .await
            .ok()?;
        if piece.is_empty() {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    serde_json::from_slice(&bytes).ok()
}
