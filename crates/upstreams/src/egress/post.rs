//! One post, and what is known of its answer: the status and `Retry-After`, and nothing of the body.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use raincheck_core::callback::{TryError, TryOutcome};
use raincheck_core::egress::Target;
use raincheck_core::limits::{RECEIVER_BODY_BYTES, RECEIVER_HEAD_BYTES, RESPONSE_HEADERS};

use super::Egress;
use crate::OutBody;

/// How long the body of an answer is read, so that a receiver need not see its connection break.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

/// What came of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The status, or why there is none.
    pub outcome: TryOutcome,
    /// `Retry-After`, as it was sent.
    pub retry_after: Option<HeaderValue>,
}

impl Posted {
    /// There was no answer.
    pub fn failed(error: TryError) -> Self {
        Self {
            outcome: TryOutcome::Failed(error),
            retry_after: None,
        }
    }
}

impl Egress {
    /// Posts `body` with these fields, besides those of the connection. Never fails: what went wrong
    /// is what came of it.
    ///
    /// Cancel safety: dropping the future closes the connection; the receiver may have the message.
    pub async fn post(&self, target: &Target, fields: HeaderMap, body: Bytes) -> Posted {
        let sending = self.send(target, fields, body);
        match tokio::time::timeout(self.timeout, sending).await {
            Ok(Ok(posted)) => posted,
            Ok(Err(error)) => Posted::failed(error),
            Err(_) => Posted::failed(TryError::Timeout),
        }
    }

    async fn send(
        &self,
        target: &Target,
        fields: HeaderMap,
        body: Bytes,
    ) -> Result<Posted, TryError> {
        let request = request(target, fields, body).ok_or(TryError::Denied)?;
        let wire = self.connect(target).await?;
        let broken = |_| TryError::Broken;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(RECEIVER_HEAD_BYTES)
            .max_headers(RESPONSE_HEADERS)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(broken)?;
        let mut connection = pin!(connection);
        let mut sending = pin!(sender.send_request(request));
        let response = tokio::select! {
            biased;
            response = &mut sending => response,
            _ = &mut connection => sending.await,
        };
        let response = response.map_err(broken)?;
        let posted = Posted {
            outcome: TryOutcome::Answered(response.status().as_u16()),
            retry_after: response.headers().get(header::RETRY_AFTER).cloned(),
        };
        tokio::select! {
            () = drop_body(response) => {}
            _ = connection => {}
            () = tokio::time::sleep(BODY_PATIENCE) => {}
        }
        Ok(posted)
    }
}

fn request(target: &Target, fields: HeaderMap, body: Bytes) -> Option<Request<OutBody>> {
    let path = target
        .uri
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let host = target.uri.authority()?.as_str();
    let mut request = Request::new(OutBody::Full(body));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path.parse().ok()?;
    *request.headers_mut() = fields;
    let own = request.headers_mut();
    own.insert(header::HOST, HeaderValue::from_str(host).ok()?);
    own.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Some(request)
}

/// Reads a body up to its bound, and keeps nothing of it.
async fn drop_body(response: Response<Incoming>) {
    let mut body = pin!(response.into_body());
    let mut left = RECEIVER_BODY_BYTES;
    while let Some(Ok(frame)) =
        std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await
    {
        let read = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(read) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
