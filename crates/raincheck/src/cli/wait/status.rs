//! Asking how a job stands until it has ended, over lost connections and restarts of the gateway.

use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Request, StatusCode};
use raincheck_upstreams::OutBody;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::progress::Progress;
use crate::cli::jobs::{is_finished, word};
use crate::client::{Client, SILENCE, Url};
use crate::exit::{Code, Failure};
use crate::output::Output;

/// How long the gateway may hold an answer. Well below what stands between us and it may cut.
const HOLD: Duration = Duration::from_secs(20);
/// How long a gateway that has answered once may be away.
const AWAY: Duration = Duration::from_secs(300);
/// The shortest and the longest pause between two questions that brought nothing.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Somebody who waits for a job.
pub(super) struct Watch<'a> {
    pub(super) client: &'a Client,
    pub(super) job: &'a Url,
    pub(super) progress: &'a Progress,
    pub(super) out: Output,
}

/// What came of a question.
enum Heard {
    /// How the job stands.
    Document(Value),
    /// The gateway has no answer now.
    Later {
        why: Failure,
        after: Option<Duration>,
    },
}

impl Watch<'_> {
    /// The job's document, once it has ended.
    pub(super) async fn finished(&self) -> Result<Value, Failure> {
        let mut heard_at = None;
        let (mut last, mut said) = (String::new(), String::new());
        let mut pause = PAUSE_MIN;
        loop {
            let asked_at = Instant::now();
            // The first answer is not held, so that there is something to show.
            let hold = if heard_at.is_some() {
                HOLD
            } else {
                Duration::ZERO
            };
            match self.ask(hold).await? {
                Heard::Document(document) => {
                    self.progress.status(&document);
                    if is_finished(word(&document, "status")) {
                        return Ok(document);
                    }
                    heard_at = Some(Instant::now());
                    pause = PAUSE_MIN;
                    // An answer that says nothing new was not held, maybe because of something on
                    // the way; that shall not be flooded.
                    let now = format!("{} {}", document["status"], document["attempt"]);
                    if now == last {
                        sleep(PAUSE_MIN.saturating_sub(asked_at.elapsed())).await;
                    }
                    last = now;
                }
                Heard::Later { why, after } => {
                    self.patience(why, heard_at, after.is_some(), &mut said)?;
                    sleep(after.unwrap_or(pause).clamp(PAUSE_MIN, PAUSE_MAX)).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    async fn ask(&self, hold: Duration) -> Result<Heard, Failure> {
        let mut request = Request::new(OutBody::Empty);
        let prefer = HeaderValue::try_from(format!("wait={}", hold.as_secs()));
        if let (Ok(prefer), false) = (prefer, hold.is_zero()) {
            request
                .headers_mut()
                .insert(HeaderName::from_static("prefer"), prefer);
        }
        let answer = match self
            .client
            .send(self.job, request, Some(hold + SILENCE))
            .await
        {
            Ok(answer) => answer,
            Err(why) if why.code == Code::Unreachable => {
                return Ok(Heard::Later { why, after: None });
            }
            Err(error) => return Err(error),
        };
        let busy = [
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let after = answer
            .header(RETRY_AFTER)
            .and_then(|text| text.parse().ok());
        let after = Duration::from_secs(after.unwrap_or(1));
        if busy.contains(&answer.head.status) {
            let url = self.job;
            let message = format!("{url} answers {}; try again later", answer.head.status);
            let why = answer.document().await.err();
            let why = why.unwrap_or_else(|| Failure::new(Code::Refused, message));
            return Ok(Heard::Later {
                why,
                after: Some(after),
            });
        }
        let document = match answer.document().await {
            Ok(document) => document,
            Err(why) if why.code == Code::Unreachable => {
                return Ok(Heard::Later { why, after: None });
            }
            Err(error) => return Err(error),
        };
        match word(&document, "job_id") {
            "" => Err(strange(self.job)),
            _ => Ok(Heard::Document(document)),
        }
    }

    /// Nothing is waited for that never was there; a gateway that restarts is.
    fn patience(
        &self,
        why: Failure,
        heard_at: Option<Instant>,
        answers: bool,
        said: &mut String,
    ) -> Result<(), Failure> {
        match heard_at {
            None if !answers => Err(why),
            Some(at) if at.elapsed() > AWAY => Err(why),
            _ => {
                if !self.out.is_json() && *said != why.message {
                    let text = format!("{why} (trying again)");
                    self.progress.aside(&text, self.out);
                    *said = why.message;
                }
                Ok(())
            }
        }
    }
}

fn strange(job: &Url) -> Failure {
    let message = format!("{job} answers, but not as a job of a raincheck; check the URL");
    Failure::new(Code::Refused, message)
}
