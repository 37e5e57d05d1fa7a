//! `GET {jobs}/{id}/events`: status and progress as Server-Sent Events, from how the job stands to
//! its end (HTML standard, section 9.2).
//!
//! Nothing is kept for a reader: an event says how the job stands when it is written, its id names
//! that position, and one that was missed is overtaken by the next. So a slow reader gets fewer
//! events, never old ones, and one that comes again continues by the last id it has seen.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderName};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::limits::{EVENTS_BEAT, PROGRESS_EVENT_GAP};
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_runner::{Error, Runner, Watch, status};
use serde_json::Value;
use tokio::time::Instant;

use super::status as statuses;
use crate::respond;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How long a reader waits before it comes again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";

/// How a job stands: its revision, and the number of its attempt's last report.
type Position = (u64, u64);

/// A stream of events, or 204 for a reader that has seen the last: `EventSource` stops then.
pub(crate) async fn events<B>(
    runner: &Runner,
    links: &status::Links,
    id: JobId,
    request: &Request<B>,
) -> Result<Response<Payload>, Problem> {
    // Before the first look, so that no change is missed between the two.
    let watch = runner.try_watch(id);
    let job = runner.job(id).await.map_err(|error| error.problem())?;
    let seen = seen(request.headers());
    if job.status().is_finished() && seen == Some(statuses::position(runner, &job)) {
        return Ok(crate::empty(StatusCode::NO_CONTENT));
    }
    let reader = Reader {
        runner: runner.clone(),
        links: links.clone(),
        id,
        watch,
        seen,
        told_at: None,
        stage: Stage::Begun,
    };
    let frames = stream::unfold(reader, |mut reader| async move {
        let text = reader.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), reader))
    });
    let mut response = Response::new(Payload::live(StreamBody::new(frames)));
    respond::set(&mut response, header::CONTENT_TYPE, "text/event-stream");
    respond::set(&mut response, header::CACHE_CONTROL, "no-store");
    // nginx would hold events back until its buffer is full.
    let buffering = HeaderName::from_static("x-accel-buffering");
    respond::set(&mut response, buffering, "no");
    respond::set(&mut response, JOB_ID, &id.to_string());
    Ok(response)
}

/// The position that `Last-Event-ID` names; a malformed one is none, and all is told anew.
fn seen(headers: &HeaderMap) -> Option<Position> {
    let text = headers.get(LAST_EVENT_ID)?.to_str().ok()?;
    let (revision, report) = text.split_once('.')?;
    Some((revision.parse().ok()?, report.parse().ok()?))
}

enum Stage {
    Begun,
    Follows,
    Over,
}

/// One reader of one job's events.
struct Reader {
    runner: Runner,
    links: status::Links,
    id: JobId,
    /// None beyond the bound on those who wait: the reader is told once and comes again.
    watch: Option<Watch>,
    seen: Option<Position>,
    told_at: Option<Instant>,
    stage: Stage,
}

impl Reader {
    /// The next text to write; none at the end: the job has ended or is forgotten, or the gateway
    /// stops and the reader is to come again.
    async fn next(&mut self) -> Option<String> {
        match self.stage {
            Stage::Over => return None,
            Stage::Begun => {
                self.stage = Stage::Follows;
                return Some(RETRY.to_owned());
            }
            Stage::Follows => {}
        }
        let beat = Instant::now() + EVENTS_BEAT;
        loop {
            let job = self.look().await?;
            let now = statuses::position(&self.runner, &job);
            let gap = self.gap(now);
            if self.seen != Some(now) && gap.is_none() {
                return Some(self.tell(&job, now).await);
            }
            let watch = self.watch.as_mut()?;
            let until = gap.unwrap_or(beat).min(beat);
            tokio::select! {
                () = watch.changed() => {}
                () = tokio::time::sleep_until(until) => if until == beat {
                    return Some(": still here\n\n".to_owned());
                },
                () = self.runner.drain_begun() => return None,
            }
        }
    }

    async fn look(&self) -> Option<Job> {
        match self.runner.job(self.id).await {
            Ok(job) => Some(job),
            Err(Error::NotFound) => None,
            Err(error) => {
                tracing::warn!(job = %self.id, %error, "a stream of events ends");
                None
            }
        }
    }

    /// Until when a report must wait, as the last event is too fresh; a new status never waits.
    fn gap(&self, now: Position) -> Option<Instant> {
        let only_report = self.seen.is_some_and(|seen| seen.0 == now.0 && seen != now);
        let over = self.told_at? + PROGRESS_EVENT_GAP;
        (only_report && Instant::now() < over).then_some(over)
    }

    async fn tell(&mut self, job: &Job, now: Position) -> String {
        let report = self.seen.is_some_and(|seen| seen.0 == now.0);
        self.seen = Some(now);
        self.told_at = Some(Instant::now());
        if job.status().is_finished() {
            self.stage = Stage::Over;
        }
        let document = statuses::value(&self.runner, &self.links, job).await;
        match report {
            true => event("progress", now, &document["progress"]),
            false => event("status", now, &document),
        }
    }
}

fn event(name: &str, (revision, report): Position, data: &Value) -> String {
    format!("id: {revision}.{report}\nevent: {name}\ndata: {data}\n\n")
}
