//! Looking at jobs as a client does.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::net::TcpStream;

use crate::expect::FINISHED;
use crate::history::Sight;
use crate::raw::{Client, Response};

pub(super) fn is_unfinished(sight: &Sight) -> bool {
    matches!(sight, Sight::Status { status, .. } if !FINISHED.contains(&status.as_str()))
}

/// A connection that looks at jobs, one after the other.
pub(super) struct Eye {
    client: Client,
}

impl Eye {
    pub(super) async fn open(addr: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(addr).await.ok()?;
        Some(Self {
            client: Client::over(stream),
        })
    }

    async fn get(&mut self, target: &str, prefer: &str) -> Option<Response> {
        let request = format!("GET {target} HTTP/1.1\r\nhost: x\r\nprefer: {prefer}\r\n\r\n");
        self.client.try_send(request.into_bytes()).await.ok()?;
        let mut response = self.client.try_start("GET").await.ok()?;
        self.client.finish(&mut response).await;
        response.is_whole().then_some(response)
    }

    pub(super) async fn status(&mut self, id: &str, prefer: &str) -> Option<Sight> {
        sight(id, &self.get(&format!("/jobs/{id}"), prefer).await?)
    }

    /// The recorded answer, where there is one, or why it cannot be read; the outer none: the server
    /// is gone.
    pub(super) async fn answer(&mut self, id: &str) -> Option<Option<Sight>> {
        let response = self.get(&format!("/jobs/{id}/result"), "x").await?;
        let none = response.header("raincheck-error").is_some() && response.status != 500;
        Some((!none).then(|| Sight::Answer {
            status: response.status,
            body: response.body.bytes.clone(),
        }))
    }
}

fn sight(id: &str, response: &Response) -> Option<Sight> {
    if response.status == 404 {
        return Some(Sight::Gone);
    }
    assert_eq!(response.status, 200, "job {id}: {}", response.text());
    status_of(&response.json())
}

/// What a status document shows.
pub(super) fn status_of(document: &Value) -> Option<Sight> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(Sight::Status {
        status: text(&document["status"])?,
        executions: document["executions"].as_u64()?,
        finished_at: text(&document["finished_at"]),
        code: text(&document["error"]["code"]),
    })
}
