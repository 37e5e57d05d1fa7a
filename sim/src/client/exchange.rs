//! One request of a client on the wire.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::Client;
use crate::history::{Got, Message};
use crate::net::Place;

/// Fields that belong to a connection, or that the gateway adds.
const NOT_COMPARED: &[&str] = &[
    "accept-ranges",
    "connection",
    "content-length",
    "etag",
    "idempotency-replayed",
    "keep-alive",
    "raincheck-job-id",
    "trailer",
    "transfer-encoding",
    "via",
];

/// A client's connection; closed when dropped.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    task: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Sends a request and takes the whole response. After `patience` the connection is closed.
    pub(super) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Got, String> {
        let kept = self.connection.take();
        let kept = kept.filter(|connection| connection.sender.is_ready());
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let exchange = async {
            let response = connection.sender.send_request(request).await;
            take(response.map_err(|error| words(&error))?).await
        };
        match timeout(patience, exchange).await {
            Ok(Ok(got)) => {
                self.connection = Some(connection);
                Ok(got)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(format!("left after {patience:?}")),
        }
    }

    async fn connect(&self) -> Result<Connection, String> {
        tokio::time::sleep(self.chance.millis(0..=3)).await;
        let net = &self.world.net;
        let pipe = net.connect(&self.world.clients, Place::Gateway);
        let pipe = pipe.map_err(|error| format!("not connected: {:?}", error.kind()))?;
        let shaken = handshake(TokioIo::new(pipe)).await;
        let (sender, connection) = shaken.map_err(|error| words(&error))?;
        let task = tokio::spawn(async move {
            // How it ended is told to whoever waits for a response.
            _ = connection.await;
        });
        Ok(Connection {
            sender,
            task: task.abort_handle(),
        })
    }
}

/// An error without what differs from one machine to another.
fn words(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

async fn take(response: Response<Incoming>) -> Result<Got, String> {
    let (parts, body) = response.into_parts();
    let by_gateway = parts.headers.contains_key("raincheck-error");
    let job = parts.headers.get("raincheck-job-id");
    let job = job.and_then(|value| value.to_str().ok()?.parse().ok());
    let collected = body.collect().await.map_err(|error| words(&error))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    let ours = by_gateway || parts.headers.contains_key("cache-control");
    Ok(Got {
        message: Message {
            status: parts.status.as_u16(),
            fields: fields(&parts.headers, ours),
            body: collected.to_bytes(),
            trailers: fields(&trailers, false),
        },
        by_gateway,
        job,
    })
}

/// The fields of a message in their order. The date of an answer that the gateway made is the one
/// thing here that the machine decides on which the simulation runs.
fn fields(headers: &HeaderMap, ours: bool) -> Vec<(String, String)> {
    let left_out = |name: &str| NOT_COMPARED.contains(&name) || (ours && name == "date");
    headers
        .iter()
        .filter(|(name, _)| !left_out(name.as_str()))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}
