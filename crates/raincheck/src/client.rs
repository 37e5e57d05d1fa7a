//! How commands talk to a gateway: over the same connections the gateway has to its backends, with
//! errors worded for whoever sits at the terminal.

mod problem;
mod url;

use std::future::Future;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Method, Request, response};
use http_body_util::BodyExt;
use raincheck_core::outcome::{Cause, Failure as WireFailure};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_upstreams::{AnswerBody, Options, OutBody, Upstreams};
use serde_json::Value;

pub use problem::refusal;
pub use url::Url;

use crate::exit::{Code, Failure};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a gateway may be silent where it has nothing to wait for.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Bytes of a document at most. The longest is a page of jobs, well below one MiB.
const DOCUMENT: usize = 16 * 1024 * 1024;

/// A client of gateways.
#[derive(Debug, Clone)]
pub struct Client {
    upstreams: Upstreams,
}

/// An answer whose body has yet to be read.
#[derive(Debug)]
pub struct Answer {
    /// Whom we asked.
    pub url: Url,
    /// Status and headers.
    pub head: response::Parts,
    body: AnswerBody,
}

/// Runs a command that talks to a gateway. What still reads stdin at its end is left behind.
pub fn block_on<T>(future: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(future);
    runtime.shutdown_background();
    done
}

impl Client {
    /// A client without connections. Needs a runtime when it is used.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            upstreams: Upstreams::new(Options::default())?,
        })
    }

    /// Sends a request and returns when the head of its answer is there. `idle` is how long the
    /// gateway may be silent; none: for ever.
    pub async fn send(
        &self,
        url: &Url,
        mut request: Request<OutBody>,
        idle: Option<Duration>,
    ) -> Result<Answer, Failure> {
        *request.uri_mut() = url.target().parse().map_err(|error| {
            Failure::new(
                Code::Usage,
                format!("the path of {url} cannot be sent: {error}"),
            )
        })?;
        let headers = request.headers_mut();
        if !headers.contains_key(HOST) {
            let host = HeaderValue::try_from(url.server().authority());
            let host = host.map_err(|_| {
                Failure::new(Code::Usage, format!("the host of {url} cannot be sent"))
            })?;
            headers.insert(HOST, host);
        }
        if !headers.contains_key(USER_AGENT) {
            let agent = concat!("raincheck/", env!("CARGO_PKG_VERSION"));
            headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        }
        let timeouts = Timeouts {
            connect: CONNECT,
            idle,
            total: None,
            total_means: Cause::Timeout,
        };
        let sent = self.upstreams.send(url.server(), request, timeouts).await;
        let answer = sent.map_err(|failure| worded(url, &failure))?;
        Ok(Answer {
            url: url.clone(),
            head: answer.head,
            body: answer.body,
        })
    }

    /// Asks for a JSON document. A problem of the gateway is an error.
    pub async fn document(&self, method: Method, url: &Url) -> Result<Value, Failure> {
        let mut request = Request::new(OutBody::Empty);
        *request.method_mut() = method;
        self.send(url, request, Some(SILENCE))
            .await?
            .document()
            .await
    }
}

impl Answer {
    /// A header that is readable text.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The next piece of the body; none at its clean end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Err(failure)) => return Err(worded(&self.url, &failure)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
            }
        }
    }

    /// The whole body, which must be a JSON document, or nothing (null). A problem of the gateway is
    /// an error.
    pub async fn document(mut self) -> Result<Value, Failure> {
        let mut bytes = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            if bytes.len() + piece.len() > DOCUMENT {
                return Err(self.strange());
            }
            bytes.extend_from_slice(&piece);
        }
        if let Some(refusal) = refusal(&self.head, &bytes) {
            return Err(refusal);
        }
        let status = self.head.status;
        if bytes.is_empty() && status.is_success() {
            return Ok(Value::Null);
        }
        match serde_json::from_slice(&bytes) {
            Ok(value) if status.is_success() => Ok(value),
            _ => Err(self.strange()),
        }
    }

    /// The answer is not one that a raincheck gives.
    pub fn strange(&self) -> Failure {
        let Self { url, head, .. } = self;
        let kind = self
            .header(http::header::CONTENT_TYPE)
            .unwrap_or("no content type");
        let message = format!(
            "{url} answered {} ({kind}), which is not what a raincheck answers there; check the URL \
             and whether it is the right listener",
            head.status
        );
        Failure::new(Code::Refused, message)
    }
}

/// What a failed exchange means at a terminal. The wire's own words speak of a backend.
fn worded(url: &Url, failure: &WireFailure) -> Failure {
    let server = url.server().authority();
    let unreachable = |message: String| Failure::new(Code::Unreachable, message);
    match failure.cause {
        Cause::Connect => unreachable(format!(
            "cannot reach {server}: {}; is raincheck running there? Another place is \
             named with --url, for jobs with --admin-url",
            failure.detail
        )),
        Cause::Timeout => unreachable(format!("{server} was silent for too long")),
        Cause::Cancelled => Failure::new(Code::Unexpected, failure.detail.clone()),
        _ => unreachable(format!(
            "the connection to {server} broke before its answer was complete"
        )),
    }
}
