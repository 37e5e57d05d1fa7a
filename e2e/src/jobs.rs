//! The job API as a client uses it.

use serde_json::Value;

use crate::bound::{Must, within};
use crate::expect;
use crate::process::Raincheck;
use crate::raw::Response;

/// A ticket that a client got.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The job id.
    pub id: String,
    /// The status document in it.
    pub document: Value,
}

/// Takes a ticket apart, and fails unless it is one in every respect.
#[track_caller]
#[must_use]
pub fn ticket(response: &Response) -> Ticket {
    assert_eq!(
        response.status,
        202,
        "expected a ticket: {}",
        response.text()
    );
    assert!(response.is_whole(), "the ticket should be whole");
    let document = response.json();
    let id = document["job_id"]
        .as_str()
        .must("job_id in the ticket")
        .to_owned();
    expect::job_id(&id);
    let path = format!("/jobs/{id}");
    assert_eq!(response.header("location").as_deref(), Some(path.as_str()));
    assert_eq!(
        response.header("content-type").as_deref(),
        Some("application/json")
    );
    let link = response.header("link").must("Link in the ticket");
    assert!(
        link.contains(&format!("<{path}>; rel=\"monitor\"")),
        "{link}"
    );
    let wait = response
        .header("retry-after")
        .must("Retry-After in the ticket");
    assert!(
        wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1),
        "Retry-After: {wait}"
    );
    assert_eq!(document["links"]["self"], path.as_str());
    assert_eq!(
        document["links"]["result"],
        format!("{path}/result").as_str()
    );
    Ticket { id, document }
}

impl Raincheck {
    /// The status document of a job.
    pub async fn status(&self, id: &str) -> Value {
        self.get(&format!("/jobs/{id}")).await.expect(200).json()
    }

    /// Waits until the job has this status, following it as a client does, and returns the
    /// document.
    pub async fn wait_status(&self, id: &str, wanted: &[&str]) -> Value {
        within(&format!("job {id} to be one of {wanted:?}"), async {
            loop {
                let waiting = self
                    .request("GET", &format!("/jobs/{id}"))
                    .prefer("wait=15");
                let document = waiting.send().await.expect(200).json();
                let status = document["status"].as_str().must("status in the document");
                if wanted.contains(&status) {
                    return document;
                }
                let finished = expect::FINISHED.contains(&status);
                assert!(!finished, "waited for {wanted:?}, but: {document}");
            }
        })
        .await
    }

    /// Waits until the job is finished.
    pub async fn finished(&self, id: &str) -> Value {
        self.wait_status(id, &expect::FINISHED).await
    }

    /// The result of a job, held until there is one.
    pub async fn result(&self, id: &str) -> Response {
        within(&format!("the result of job {id}"), async {
            loop {
                let response = self.get(&format!("/jobs/{id}/result?wait=15")).await;
                // The backend's own answer may be a 202 too; only ours is a status document.
                let text = response.text();
                let ours = serde_json::from_str::<Value>(&text)
                    .is_ok_and(|document| document["job_id"] == *id);
                if response.status != 202 || !ours {
                    return response;
                }
            }
        })
        .await
    }

    /// Submits a job to an async route and returns its ticket.
    pub async fn submit(&self, target: &str, body: &str) -> Ticket {
        ticket(&self.post(target, body).await)
    }

    /// DELETE on a job.
    pub async fn delete(&self, id: &str) -> Response {
        self.request("DELETE", &format!("/jobs/{id}")).send().await
    }
}
