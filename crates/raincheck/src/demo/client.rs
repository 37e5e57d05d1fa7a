//! A client as a team would write it: ask, take the ticket, fetch the result when it is there.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::BytesMut;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body::Body as _;
use raincheck_core::outcome::Cause;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::{Scheme, Upstream};
use raincheck_upstreams::{OutBody, Upstreams};
use serde_json::json;
use tokio::time::Instant;

use crate::output::Output;

/// Where the client asks and whom it tells.
pub struct Story {
    /// The gateway's URL.
    pub base: String,
    /// Where it tells.
    pub out: Output,
    /// Whether to tell it as JSON.
    pub json: bool,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: BytesMut,
}

/// Plays the client once.
pub async fn play(story: &Story) -> anyhow::Result<()> {
    let client = Client::new(&story.base)?;
    let begun = Instant::now();
    story.say(begun, "GET /report", json!({ "event": "asked" }));
    let ticket = client.get("/report", None).await?;
    let place = ticket
        .headers
        .get(header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let place = place
        .context("the demo's hold did not end before its backend")?
        .to_owned();
    if ticket.status != StatusCode::ACCEPTED {
        bail!("expected a ticket, got {}", ticket.status);
    }
    story.say(
        begun,
        &format!("202 Accepted, a ticket: {place}"),
        json!({ "event": "ticket", "status": 202, "location": place }),
    );
    story.say(
        begun,
        "the same request goes on; asking for its result ...",
        json!(null),
    );
    let result = loop {
        let answer = client
            .get(&format!("{place}/result"), Some("wait=20"))
            .await?;
        if answer.status != StatusCode::ACCEPTED {
            break answer;
        }
        story.say(begun, "202, not yet", json!({ "event": "waiting" }));
    };
    let kind = result
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    story.say(
        begun,
        &format!(
            "{}: the backend's own response, {} bytes of {}",
            result.status,
            result.body.len(),
            kind.unwrap_or("unknown type")
        ),
        json!({ "event": "result", "status": result.status.as_u16(), "bytes": result.body.len() }),
    );
    Ok(())
}

impl Story {
    fn say(&self, begun: Instant, text: &str, line: serde_json::Value) {
        let at = begun.elapsed().as_secs();
        if !self.json {
            self.out.say(format_args!("[{at:>3} s] {text}"));
        } else if !line.is_null() {
            _ = self.out.document(&line);
        }
    }
}

struct Client {
    upstreams: Upstreams,
    gateway: Upstream,
}

impl Client {
    fn new(base: &str) -> anyhow::Result<Self> {
        let authority = base.strip_prefix("http://").context("not a URL")?;
        let (host, port) = authority.rsplit_once(':').context("no port")?;
        let gateway = Upstream::new(Scheme::Http, host, port.parse()?);
        Ok(Self {
            upstreams: Upstreams::new(raincheck_upstreams::Options::default())?,
            gateway,
        })
    }

    async fn get(&self, path: &str, prefer: Option<&str>) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(path)
            .header(header::HOST, self.gateway.authority());
        if let Some(prefer) = prefer {
            request = request.header("prefer", prefer);
        }
        let timeouts = Timeouts {
            connect: Duration::from_secs(5),
            idle: None,
            total: None,
            total_means: Cause::Timeout,
        };
        let request = request.body(OutBody::Empty)?;
        let sent = self.upstreams.send(&self.gateway, request, timeouts).await;
        let mut answer = sent.map_err(|failure| anyhow::anyhow!("{}", failure.detail))?;
        let mut body = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer.body).poll_frame(cx)).await {
            let frame = frame.map_err(|failure| anyhow::anyhow!("{}", failure.detail))?;
            if let Ok(bytes) = frame.into_data() {
                body.extend_from_slice(&bytes);
            }
        }
        Ok(Answer {
            status: answer.head.status,
            headers: answer.head.headers,
            body,
        })
    }
}
