//! `resume = true`: a streamed answer is recorded from its first byte, as a job whose first
//! follower is the client that asked. One that lost its connection finds the rest at the answer's
//! `Content-Location`; a reader of events that comes again to the route itself finds it by its id.

use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::Body as _;
use raincheck_core::job::Job;
use raincheck_core::limits::RESUME_MIN_BYTES;
use raincheck_core::outcome::Failure;
use raincheck_core::policy::hold::Plan;
use raincheck_core::prefer::Prefer;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::{OnDisconnect, Route};
use raincheck_exchange::events::{self, EventId, LAST_EVENT_ID};
use raincheck_exchange::flight::Landed;
use raincheck_exchange::outbound::JOB_ID;
use raincheck_exchange::{Payload, Source, followed};
use raincheck_runner::{Error, result};
use tokio::time::Instant;

use crate::auto_mode::{Forsaken, Inner};
use crate::dedup::{REPLAYED, Wait};
use crate::service::{Service, Ticketed};

/// How long a client waits for its answer to be stored, whose head is there.
const STORED_IN: Duration = Duration::from_secs(60);

/// Who follows a recording on a route with `resume`.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    on: bool,
    events: bool,
    last: Option<HeaderValue>,
}

impl Reader {
    /// As a request asks.
    pub(crate) fn of(route: &Route, asked: &HeaderMap) -> Self {
        if !route.resume {
            return Self::default();
        }
        Self {
            on: true,
            events: events::wanted(asked),
            last: asked.get(LAST_EVENT_ID).cloned(),
        }
    }
}

/// Whether there is something to record: an answer that is not whole already, and not so short that
/// it will be in a moment.
pub(crate) fn streams(landed: &Result<Landed, Failure>) -> bool {
    let Ok(Landed::Opened(opened)) = landed else {
        return false;
    };
    let short = |len| len <= RESUME_MIN_BYTES;
    !opened.body.is_end_stream() && !opened.body.size_hint().exact().is_some_and(short)
}

impl Service {
    /// The head of a streamed answer is there: the exchange becomes a job, and its client the first
    /// who follows it. No byte of the answer leaves before the job is durable.
    pub(crate) async fn record(
        &self,
        mut inner: Inner,
        landed: Result<Landed, Failure>,
        prefer: Prefer,
    ) -> Result<Response<Payload>, Problem> {
        inner.unpack();
        let prefer = prefer.past_hold(&inner.accepted.route, &inner.accepted.head);
        let (id, route) = (inner.accepted.id, Arc::clone(&inner.accepted.route));
        let reader = Reader::of(&route, &inner.accepted.head.headers);
        let mut watch = self.runner().watch(id);
        let forsaken = Forsaken::new(self.runner(), &route, id);
        let adopted = inner.again(landed);
        let job = match route.on_disconnect {
            OnDisconnect::Cancel => self.runner().adopt_attended(adopted).await,
            OnDisconnect::Continue => self.runner().adopt(adopted).await,
        };
        let wait = Wait {
            prefer,
            until: Instant::now() + STORED_IN,
            queued: false,
        };
        let answer = match job {
            Ok(job) => {
                self.attend_job(job, &route, &mut watch, wait, &reader)
                    .await
            }
            Err(error) => Err(error.problem()),
        };
        forsaken.answered();
        answer
    }

    /// A reader of events that comes again, by an id that it was given here. None: it comes for the
    /// first time. A job that is gone is no reason to run it again.
    pub(crate) async fn rejoin(
        &self,
        route: &Route,
        asked: &HeaderMap,
        came: Instant,
        plan: Plan,
    ) -> Option<Result<Response<Payload>, Problem>> {
        let id = EventId::parse(asked.get(LAST_EVENT_ID)?.as_bytes())?;
        let mut watch = self.runner().watch(id.job);
        let job = match self.runner().job(id.job).await {
            Ok(job) if *job.route() == route.name => job,
            Ok(_) => return Some(Err(Error::NotFound.problem().about(id.job))),
            Err(error) => return Some(Err(error.problem().about(id.job))),
        };
        let reader = Reader::of(route, asked);
        let hold = match plan {
            Plan::Hold(hold) | Plan::Queue(hold) => hold,
            Plan::Relay => Duration::ZERO,
        };
        let wait = Wait {
            prefer: Prefer::default(),
            until: came + hold,
            queued: false,
        };
        let answer = self.attend_job(job, route, &mut watch, wait, &reader).await;
        Some(answer.map(|response| {
            let ticketed = response.extensions().get::<Ticketed>().is_some();
            // A reader of events gives up for good at anything but events.
            let mut response = if ticketed {
                followed::come_again()
            } else {
                response
            };
            let headers = response.headers_mut();
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
            response
        }))
    }

    /// The answer that is being recorded, from where its reader was. None: its head is not known.
    pub(crate) async fn begun(
        &self,
        job: &Job,
        reader: &Reader,
    ) -> Result<Option<Response<Payload>>, Problem> {
        let Some(source) = self.runner().source(job.id()) else {
            return Ok(None);
        };
        self.read(job, &source, reader).await
    }

    /// The same of a job that has ended. None: it is told in another way.
    pub(crate) async fn ended(
        &self,
        job: &Job,
        reader: &Reader,
    ) -> Result<Option<Response<Payload>>, Problem> {
        if !reader.on {
            return Ok(None);
        }
        let runner = self.runner();
        let told = |error: Error| error.problem().about(job.id());
        let Some(stored) = result::stored(runner, job).await.map_err(told)? else {
            return Ok(None);
        };
        let source = result::source(runner, job, &stored).await.map_err(told)?;
        if let (true, Some(response)) = (reader.events, self.events(&source, reader).await?) {
            return Ok(Some(self.resumable(response, job, &source)));
        }
        let replayed = result::replay(runner, job).await.map_err(told)?;
        Ok(replayed.map(|response| self.resumable(response, job, &source)))
    }

    async fn read(
        &self,
        job: &Job,
        source: &Source,
        reader: &Reader,
    ) -> Result<Option<Response<Payload>>, Problem> {
        let events = match reader.events {
            true => self.events(source, reader).await?,
            false => None,
        };
        let response = events.or_else(|| followed::response(&source.recording));
        Ok(match reader.on {
            true => response.map(|response| self.resumable(response, job, source)),
            false => response,
        })
    }

    async fn events(
        &self,
        source: &Source,
        reader: &Reader,
    ) -> Result<Option<Response<Payload>>, Problem> {
        let last = reader.last.as_ref().map(HeaderValue::as_bytes);
        let response = followed::events(source, last).await;
        response.map_err(|error| Error::from(error).problem().about(source.job))
    }

    /// Says where the rest of a response is, should the connection break.
    fn resumable(
        &self,
        mut response: Response<Payload>,
        job: &Job,
        source: &Source,
    ) -> Response<Payload> {
        let links = self.links();
        let status = response.status();
        let tag = source.recording.head().map(|head| source.validator(head));
        let marked = matches!(response.headers().get("x-accel-buffering"), Some(no) if no == "no");
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, text: String| {
            if let (false, Ok(value)) = (headers.contains_key(&name), HeaderValue::try_from(text)) {
                headers.insert(name, value);
            }
        };
        set(JOB_ID, job.id().to_string());
        if status == StatusCode::OK {
            set(
                header::CONTENT_LOCATION,
                format!("{}?follow", links.result(job)),
            );
            if let (false, Some(tag)) = (marked, tag) {
                set(header::ETAG, tag);
            }
        }
        let monitor = format!("<{}>; rel=\"monitor\"", links.job(job));
        if let Ok(monitor) = HeaderValue::try_from(monitor) {
            headers.append(header::LINK, monitor);
        }
        response
    }
}

/// The gateway stops, and a client that would not know what to do with a ticket waits.
pub(crate) fn stopping() -> Problem {
    let detail = "the gateway stops, and the response has not begun";
    Problem::new(ProblemCode::Draining, detail).retry_after(Duration::from_secs(1))
}
