//! The status document of a job with its result in it, where that is small JSON.

use http::header;
use raincheck_core::job::Job;
use raincheck_core::limits::RESULT_INLINE_BYTES;
use serde_json::Value;

use crate::progress::Progress;
use crate::{Error, Runner, result, status};

/// A job's status document as it is told everywhere.
pub async fn document(runner: &Runner, links: &status::Links, job: &Job) -> Value {
    let (known, progress, result) = parts(runner, job).await;
    let job = known.as_ref().unwrap_or(job);
    status::document(job, links, progress.as_ref(), result)
}

/// The same as JSON.
pub async fn text(runner: &Runner, links: &status::Links, job: &Job) -> Vec<u8> {
    let (known, progress, result) = parts(runner, job).await;
    let document = status::Document {
        job: known.as_ref().unwrap_or(job),
        links,
        progress: progress.as_ref(),
        result: result.as_ref(),
    };
    document.text()
}

/// The job where it is another one by now, what was reported of it, and its small result.
async fn parts(runner: &Runner, job: &Job) -> (Option<Job>, Option<Progress>, Option<Value>) {
    let (known, result) = match inline(runner, job).await {
        Ok(result) => (None, result),
        // Where it is damaged, the job has failed by now.
        Err(_) => (runner.job(job.id()).await.ok(), None),
    };
    let progress = runner.progress(known.as_ref().unwrap_or(job));
    (known, progress.map(|(_, progress)| progress), result)
}

/// The response body, when it is plain JSON of at most [`RESULT_INLINE_BYTES`].
///
/// # Errors
/// The response cannot be read, of whatever kind it is.
pub(crate) async fn inline(runner: &Runner, job: &Job) -> Result<Option<Value>, Error> {
    let (Some(stored), Some(response)) = (result::stored(runner, job).await?, job.response())
    else {
        return Ok(None);
    };
    let kind = response.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let json = kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json");
    let coded = stored.head.headers.contains_key(header::CONTENT_ENCODING);
    if !json || coded || response.content_length > RESULT_INLINE_BYTES {
        return Ok(None);
    }
    let reader = result::open(runner, job, &stored).await?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < stored.body.len() {
        let piece = reader
            .read(bytes.len() as u64, RESULT_INLINE_BYTES as usize)
            .await
            .map_err(Error::Store)?;
        if piece.is_empty() {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(serde_json::from_slice(&bytes).ok())
}
