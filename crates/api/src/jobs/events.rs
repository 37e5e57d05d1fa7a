//! `GET {jobs}/{id}/events`: status and progress as Server-Sent Events, from how the job stands to
//! its end (HTML standard, section 9.2).
//!
//! The id of an event names the position that it tells, so one who comes again continues by the
//! last id that was seen.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderName};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use raincheck_core::id::JobId;
use raincheck_core::limits::EVENTS_BEAT;
use raincheck_core::problem::Problem;
use raincheck_exchange::Payload;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_runner::news::{Item, News, Position};
use raincheck_runner::{Error, Runner, news, status, told};
use serde_json::Value;

use crate::respond;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How long a reader waits before it comes again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";

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
    if job.status().is_finished() && seen == Some(news::position(runner, &job)) {
        return Ok(crate::empty(StatusCode::NO_CONTENT));
    }
    let reader = Reader {
        runner: runner.clone(),
        links: links.clone(),
        news: News::new(runner.clone(), id, watch, seen),
        begun: false,
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
    headers.get(LAST_EVENT_ID)?.to_str().ok()?.parse().ok()
}

/// One reader of one job's events.
struct Reader {
    runner: Runner,
    links: status::Links,
    news: News,
    begun: bool,
}

impl Reader {
    /// The next text to write; none at the end: the job has ended or is forgotten, or the gateway
    /// stops and the reader is to come again.
    async fn next(&mut self) -> Option<String> {
        if !std::mem::replace(&mut self.begun, true) {
            return Some(RETRY.to_owned());
        }
        let item = tokio::select! {
            biased;
            item = self.news.next(EVENTS_BEAT) => item,
            () = self.runner.drain_begun() => return None,
        };
        match item {
            Ok(Item::Silence) => Some(": still here\n\n".to_owned()),
            Ok(Item::Over) | Err(Error::NotFound) => None,
            Ok(Item::Status(job, now)) => {
                let document = told::document(&self.runner, &self.links, &job).await;
                Some(event("status", now, &document))
            }
            Ok(Item::Report(job, now)) => {
                let document = told::document(&self.runner, &self.links, &job).await;
                Some(event("progress", now, &document["progress"]))
            }
            Err(error) => {
                tracing::warn!(job = %self.news.job(), %error, "a stream of events ends");
                None
            }
        }
    }
}

fn event(name: &str, now: Position, data: &Value) -> String {
    format!("id: {now}\nevent: {name}\ndata: {data}\n\n")
}
