//! A response read to its end: head, bytes, trailers, and an end that tells the truth.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use raincheck_core::head::ResponseHead;
use raincheck_core::outcome::{Cause, Failure, ResponseSummary, Seen};
use raincheck_core::prefer::wait_seconds;
use raincheck_core::time::Timestamp;
use raincheck_store::{Bodies, BodyReader, BodyWriter, Error, Sealed};
use tokio::sync::watch;

use crate::{End, Opened};

/// How far a recording has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Whether the head is known.
    pub head: bool,
    /// Bytes that can be read.
    pub len: u64,
    /// How it ended, once it has.
    pub end: Option<End>,
}

/// The readers' side of a response that is being recorded or has been.
pub struct Recording {
    head: OnceLock<ResponseHead>,
    trailers: OnceLock<HeaderMap>,
    reader: Arc<dyn BodyReader>,
    state: watch::Sender<State>,
}

impl Recording {
    /// A response that was recorded whole.
    pub fn whole(
        head: ResponseHead,
        trailers: HeaderMap,
        reader: Arc<dyn BodyReader>,
        len: u64,
    ) -> Arc<Self> {
        let state = State {
            head: true,
            len,
            end: Some(End::Complete),
        };
        Arc::new(Self {
            head: head.into(),
            trailers: trailers.into(),
            reader,
            state: watch::Sender::new(state),
        })
    }

    /// The head, once it is known.
    pub fn head(&self) -> Option<&ResponseHead> {
        self.head.get()
    }

    /// The trailers, once the recording is complete.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.get()
    }

    /// Reads its bytes.
    pub fn reader(&self) -> &Arc<dyn BodyReader> {
        &self.reader
    }

    /// Tells of each step it takes.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }
}

/// A complete recording.
#[derive(Clone)]
pub struct Recorded {
    /// The head.
    pub head: ResponseHead,
    /// The body; not yet durable.
    pub body: Sealed,
    /// The trailers.
    pub trailers: HeaderMap,
}

impl Recorded {
    /// What a status document says of it.
    pub fn summary(&self) -> ResponseSummary {
        let content_type = self.head.headers.get(http::header::CONTENT_TYPE);
        ResponseSummary {
            status: self.head.status,
            content_type: content_type
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            content_length: self.body.len(),
        }
    }

    /// The wait its `Retry-After` asks for, in seconds or until a date.
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after(self.head.headers.get(http::header::RETRY_AFTER)?, now)
    }
}

/// The wait that a `Retry-After` asks for, in seconds or until a date.
pub fn retry_after(value: &http::HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Some(wait) = wait_seconds(text) {
        return Some(wait);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    let millis = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_millis();
    Some(Timestamp::from_millis(u64::try_from(millis).ok()?).since(now))
}

/// The writer's side. Dropped before its end, the recording is [`End::Lost`].
pub struct Recorder {
    recording: Arc<Recording>,
    writer: Option<Box<dyn BodyWriter>>,
    ended: bool,
}

impl Recorder {
    /// A recording that has not begun.
    pub fn new(bodies: &(impl Bodies + ?Sized)) -> Self {
        let writer = bodies.create();
        let recording = Recording {
            head: OnceLock::new(),
            trailers: OnceLock::new(),
            reader: writer.reader().into(),
            state: watch::Sender::new(State::default()),
        };
        Self {
            recording: Arc::new(recording),
            writer: Some(writer),
            ended: false,
        }
    }

    /// The readers' side.
    pub fn recording(&self) -> &Arc<Recording> {
        &self.recording
    }

    /// Shows the head, before anything is recorded; else it is shown by [`Recorder::record`].
    pub fn begin(&self, head: &ResponseHead) {
        if self.recording.head.set(head.clone()).is_ok() {
            self.recording.state.send_modify(|state| state.head = true);
        }
    }

    /// Records `opened` to its end.
    ///
    /// # Errors
    /// The failure that ended it; its readers get it too. Dropping the future ends it as lost.
    pub async fn record(mut self, opened: Opened) -> Result<Recorded, Failure> {
        let recorded = self.run(opened).await;
        let end = match &recorded {
            Ok(_) => End::Complete,
            Err(failure) => End::Aborted(failure.clone()),
        };
        self.end(end);
        recorded
    }

    /// Ends a recording whose exchange failed before there was a head.
    pub fn abort(mut self, failure: Failure) {
        self.end(End::Aborted(failure));
    }

    fn end(&mut self, end: End) {
        self.ended = true;
        self.recording
            .state
            .send_modify(|state| state.end = Some(end));
    }

    async fn run(&mut self, opened: Opened) -> Result<Recorded, Failure> {
        let Opened { head, mut body } = opened;
        if self.recording.head().is_none() {
            self.begin(&head);
        }
        let mut trailers = HeaderMap::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            match frame?.into_data() {
                Ok(bytes) => self.append(bytes).await?,
                Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
            }
        }
        _ = self.recording.trailers.set(trailers.clone());
        let writer = self.writer.take().ok_or_else(|| storage(&closed()))?;
        let body = writer.seal().await.map_err(|error| storage(&error))?;
        Ok(Recorded {
            head,
            body,
            trailers,
        })
    }

    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let writer = self.writer.as_mut().ok_or_else(|| storage(&closed()))?;
        writer
            .append(bytes)
            .await
            .map_err(|error| storage(&error))?;
        let len = writer.len();
        self.recording.state.send_modify(|state| state.len = len);
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if !self.ended {
            self.end(End::Lost);
        }
    }
}

fn closed() -> Error {
    Error::Unavailable("the recording has ended".to_owned())
}

/// Our own disk would not take the answer.
pub fn storage(error: &Error) -> Failure {
    Failure {
        cause: Cause::Storage,
        seen: Seen::Answering,
        detail: error.to_string(),
    }
}
