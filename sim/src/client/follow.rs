//! A client with a ticket: it looks at the job until that is finished, then fetches the result,
//! more than once, as clients do.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use raincheck_core::id::JobId;
use serde_json::Value;
use tokio::time::Instant;

use super::Client;
use crate::history::{Got, Look, Standing, What};

/// How long a client goes on asking about one job.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How long it waits for one answer of the job API.
const ONE_LOOK: Duration = Duration::from_secs(120);

impl Client {
    /// Looks at a job until it is finished, then takes its result twice.
    pub async fn follow(&mut self, job: JobId) {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.look_once(job).await {
                Some(Look::Status(standing)) if standing.is_finished() => {
                    self.results(job, standing.error.as_deref(), until).await;
                    return;
                }
                Some(Look::Unknown) => return,
                Some(Look::Status(_) | Look::Result(_)) | None => {}
            }
            tokio::time::sleep(self.chance.millis(100..=10_000)).await;
        }
        self.world.history.add(What::Unfinished { job });
    }

    async fn results(&mut self, job: JobId, error: Option<&str>, until: Instant) {
        let mut left = 2;
        while left > 0 && Instant::now() < until {
            if let Some(look) = self.result_once(job, error).await {
                left -= 1;
                if look == Look::Unknown {
                    return;
                }
            }
            tokio::time::sleep(self.chance.millis(50..=2_000)).await;
        }
    }

    /// One look at the status; none: there was no usable answer.
    async fn look_once(&mut self, job: JobId) -> Option<Look> {
        let wait = self.chance.one_of(&[0, 5, 20, 60]);
        let got = self.get(&format!("/jobs/{job}?wait={wait}")).await?;
        let look = match got.message.status {
            200 => Look::Status(standing(&got)?),
            404 => Look::Unknown,
            _ => return None,
        };
        self.looked(job, look)
    }

    /// One look at the result; none: there was no usable answer.
    async fn result_once(&mut self, job: JobId, error: Option<&str>) -> Option<Look> {
        let got = self.get(&format!("/jobs/{job}/result")).await?;
        let transient = got.by_gateway && is_transient(&got, error);
        let look = match got.message.status {
            404 if got.by_gateway => Look::Unknown,
            202 => return None,
            _ if transient => return None,
            _ => Look::Result(Box::new(got)),
        };
        self.looked(job, look)
    }

    fn looked(&self, job: JobId, look: Look) -> Option<Look> {
        self.world.history.add(What::Looked {
            job,
            look: look.clone(),
        });
        Some(look)
    }

    async fn get(&mut self, path: &str) -> Option<Got> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.method_mut() = Method::GET;
        *request.uri_mut() = path.parse().ok()?;
        super::greet(request.headers_mut());
        self.exchange(request, ONE_LOOK).await.ok()
    }
}

/// Whether the gateway says that it cannot tell now, as its store or it itself is about to stop.
/// The same codes stand for jobs that ended so; `error` is how this one did.
fn is_transient(got: &Got, error: Option<&str>) -> bool {
    let document: Option<Value> = serde_json::from_slice(&got.message.body).ok();
    let code = document
        .as_ref()
        .and_then(|document| document["code"].as_str());
    matches!(code, Some("store-unavailable" | "draining")) && code != error
}

fn standing(got: &Got) -> Option<Standing> {
    let document: Value = serde_json::from_slice(&got.message.body).ok()?;
    Some(Standing {
        status: document["status"].as_str()?.to_owned(),
        executions: document["executions"].as_u64()?,
        error: document["error"]["code"].as_str().map(str::to_owned),
    })
}
