//! A 200 whose bytes keep what stands in front from cutting, until the job has ended and the last of
//! them say how: its status document, with status and fields of the response, and with the body
//! where that is small JSON.
//!
//! The job is durable before the head leaves, as with a ticket, and nothing depends on the client.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use raincheck_core::id::JobId;
use raincheck_core::job::Job;
use raincheck_core::policy::keepalive::comes_again;
use raincheck_core::problem::Problem;
use raincheck_core::route::{Filler, Keepalive, Route};
use raincheck_exchange::Payload;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_runner::news::{Item, News, Position, position};
use raincheck_runner::status::{self, Links};
use raincheck_runner::{Runner, result, told};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::service::{Service, Ticketed};

/// What keeps the connection, so that nobody takes this for the backend's own answer.
const KEEPALIVE: HeaderName = HeaderName::from_static("raincheck-keepalive");

/// How the route of a job keeps clients; none if it does not, or is gone.
pub(crate) fn of(runner: &Runner, job: &Job) -> Option<Keepalive> {
    runner.routes().named(job.route())?.keepalive
}

/// Where a reader of events was when it lost its connection; none if the request is from no such.
pub(crate) fn known_again(route: &Route, headers: &HeaderMap) -> Option<(Keepalive, Known)> {
    let keepalive = route.keepalive?;
    let (job, seen) = comes_again(route, headers)?;
    let seen = seen.parse().ok();
    Some((keepalive, Known { job, seen }))
}

/// A job, and what a reader has seen of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    job: JobId,
    seen: Option<Position>,
}

impl Service {
    /// The answer to a reader of events that goes on where it was. A job that is gone is no reason
    /// to run it again.
    pub(crate) async fn come_again(
        &self,
        route: &Route,
        keepalive: Keepalive,
        known: Known,
    ) -> Result<Response<Payload>, Problem> {
        let (runner, id) = (self.runner(), known.job);
        let not_here = raincheck_runner::Error::NotFound;
        let job = match runner.job(id).await {
            Ok(job) if *job.route() == route.name => job,
            Ok(_) => return Err(not_here.problem().about(id)),
            Err(error) => return Err(error.problem().about(id)),
        };
        if job.status().is_finished() && known.seen == Some(position(runner, &job)) {
            // At which an EventSource stops.
            let mut response = Response::new(Payload::Empty);
            *response.status_mut() = StatusCode::NO_CONTENT;
            return Ok(response);
        }
        Ok(answer(runner, &self.links(), &job, keepalive, known.seen))
    }
}

/// A client that is kept until a durable job has ended.
pub(crate) fn answer(
    runner: &Runner,
    links: &Links,
    job: &Job,
    keepalive: Keepalive,
    seen: Option<Position>,
) -> Response<Payload> {
    let id = job.id();
    let kept = Kept {
        news: News::new(runner.clone(), id, Some(runner.watch(id)), seen),
        runner: runner.clone(),
        links: links.clone(),
        keepalive,
        last: Box::new(job.clone()),
        stage: Stage::Begun,
    };
    let frames = stream::unfold(kept, |mut kept| async move {
        let text = kept.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), kept))
    });
    let mut response = Response::new(Payload::live(StreamBody::new(frames)));
    response.extensions_mut().insert(Ticketed);
    let headers = response.headers_mut();
    let known = [
        (header::CONTENT_TYPE, keepalive.filler.media_type()),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // nginx would hold the bytes back until its buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
        (KEEPALIVE, keepalive.filler.as_str()),
    ];
    for (name, text) in known {
        headers.insert(name, HeaderValue::from_static(text));
    }
    let monitor = format!("<{}/{id}>; rel=\"monitor\"", links.base());
    for (name, text) in [(header::LINK, monitor), (JOB_ID, id.to_string())] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
    response
}

#[derive(Clone, Copy)]
enum Stage {
    Begun,
    Follows,
    Over,
}

/// A client that is kept.
struct Kept {
    runner: Runner,
    links: Links,
    news: News,
    keepalive: Keepalive,
    /// The job as it was told last.
    last: Box<Job>,
    stage: Stage,
}

impl Kept {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<String> {
        match self.stage {
            Stage::Over => return None,
            Stage::Begun => {
                self.stage = Stage::Follows;
                // A byte at once, as some count from the first of the body and not from the head.
                return Some(match self.keepalive.filler {
                    Filler::Events => "retry: 2000\n\n".to_owned(),
                    Filler::Whitespace => " ".to_owned(),
                });
            }
            Stage::Follows => {}
        }
        let silent_at = Instant::now() + self.keepalive.interval;
        loop {
            let patience = silent_at.saturating_duration_since(Instant::now());
            let item = tokio::select! {
                biased;
                item = self.news.next(patience) => item,
                () = self.runner.last_call() => return self.stop(),
            };
            let (told, job, now) = match item {
                Ok(Item::Silence) => return Some(self.filler()),
                Ok(Item::Over) => return None,
                Ok(Item::Status(job, now)) => ("status", job, now),
                Ok(Item::Report(job, now)) => ("progress", job, now),
                Err(error) => {
                    self.stage = Stage::Over;
                    return Some(self.problem(&error.problem().about(self.news.job())));
                }
            };
            if job.status().is_finished() {
                self.stage = Stage::Over;
                let document = whole(&self.runner, &self.links, &job).await;
                return Some(self.text("result", now, &document));
            }
            if self.keepalive.filler == Filler::Events {
                let progress = self.runner.progress(&job).map(|(_, progress)| progress);
                let document = status::document(&job, &self.links, progress.as_ref(), None);
                return Some(match told {
                    "progress" => self.text(told, now, &document["progress"]),
                    _ => self.text(told, now, &document),
                });
            }
            *self.last = job;
        }
    }

    /// The gateway stops before the job has ended. A reader of events comes again; who waits for a
    /// document gets the links.
    fn stop(&mut self) -> Option<String> {
        self.stage = Stage::Over;
        match self.keepalive.filler {
            Filler::Events => None,
            Filler::Whitespace => {
                let document = status::document(&self.last, &self.links, None, None);
                Some(format!("{document}\n"))
            }
        }
    }

    fn filler(&self) -> String {
        match self.keepalive.filler {
            Filler::Events => ": still here\n\n".to_owned(),
            Filler::Whitespace => " ".to_owned(),
        }
    }

    fn text(&self, event: &str, now: Position, data: &Value) -> String {
        let id = self.news.job();
        match self.keepalive.filler {
            Filler::Events => format!("id: {id}.{now}\nevent: {event}\ndata: {data}\n\n"),
            Filler::Whitespace => format!("{data}\n"),
        }
    }

    fn problem(&self, problem: &Problem) -> String {
        let instance = problem.job.map(|id| format!("{}/{id}", self.links.base()));
        let text = problem.to_json(instance.as_deref());
        let text = String::from_utf8_lossy(&text);
        match self.keepalive.filler {
            Filler::Events => format!("event: problem\ndata: {text}\n\n"),
            Filler::Whitespace => format!("{text}\n"),
        }
    }
}

/// The status document of a finished job, with the fields of its response: its status line and
/// head cannot be sent any more.
async fn whole(runner: &Runner, links: &Links, job: &Job) -> Value {
    let mut document = told::document(runner, links, job).await;
    if let Ok(Some(stored)) = result::stored(runner, job).await {
        let text = |value: &HeaderValue| value.as_bytes().iter().copied().map(char::from).collect();
        let fields = stored.head.headers.iter();
        let fields: Vec<(&str, String)> = fields
            .map(|(name, value)| (name.as_str(), text(value)))
            .collect();
        document["response"]["headers"] = json!(fields);
    }
    document
}
