//! Sends a request and returns when the response head is there; the rest is a body with limits.

use std::any::Any;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body, Frame, SizeHint};
use raincheck_core::head::ResponseHead;
use raincheck_core::hop;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;
use raincheck_upstreams::{AnswerBody, OutBody, Upstreams};
use tokio::time::{Instant, Sleep};

/// A response whose head is there.
pub struct Opened {
    /// Its head, without hop-by-hop fields.
    pub head: ResponseHead,
    /// What follows.
    pub body: ResponseBody,
}

/// The bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Its times.
    pub timeouts: Timeouts,
    /// Bytes of the response body at most.
    pub max_response: Option<u64>,
}

/// Sends `request`. Dropping the future closes the connection.
///
/// # Errors
/// The failure says whether the backend may have seen the request.
pub async fn open(
    upstreams: &Upstreams,
    upstream: &Upstream,
    request: Request<OutBody>,
    bounds: Bounds,
) -> Result<Opened, Failure> {
    let Bounds { timeouts, max_response } = bounds;
    let begun = Instant::now();
    let total = timeouts.total.and_then(|total| begun.checked_add(total));
    let send = upstreams.send(upstream, request, timeouts);
    let answer = match total {
        None => send.await?,
        Some(deadline) => tokio::time::timeout_at(deadline, send)
            .await
            .map_err(|_| too_late(timeouts, Seen::Maybe))??,
    };
    let head = response_head(answer.head);
    let body = ResponseBody {
        inner: answer.body,
        deadline: total.map(|at| Deadline { at, sleep: None, timeouts }),
        left: max_response,
        max: max_response,
        guard: None,
    };
    refuse_oversize(&body)?;
    Ok(Opened { head, body })
}

fn response_head(mut parts: http::response::Parts) -> ResponseHead {
    hop::strip(&mut parts.headers);
    let reason = parts.extensions.get::<hyper::ext::ReasonPhrase>();
    let usual = parts.status.canonical_reason().unwrap_or("");
    let reason = reason
        .filter(|reason| reason.as_bytes() != usual.as_bytes())
        .map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    ResponseHead { status: parts.status.as_u16(), reason, headers: parts.headers }
}

fn too_late(timeouts: Timeouts, seen: Seen) -> Failure {
    let limit = timeouts.total.unwrap_or_default();
    let detail = match timeouts.total_means {
        Cause::Deadline => "the job's deadline passed while the backend was working".to_owned(),
        _ => format!("no complete answer within the route's timeout of {limit:?}"),
    };
    Failure { cause: timeouts.total_means, seen, detail }
}

fn too_large(max: u64) -> Failure {
    Failure {
        cause: Cause::TooLarge,
        seen: Seen::Maybe,
        detail: format!("the answer is larger than the route's max_response of {max} bytes"),
    }
}

fn refuse_oversize(body: &ResponseBody) -> Result<(), Failure> {
    match body.max {
        Some(max) if body.inner.size_hint().lower() > max => Err(too_large(max)),
        _ => Ok(()),
    }
}

/// What follows a response head, within the exchange's total time and the route's size limit.
/// Dropping it before its end closes the connection.
pub struct ResponseBody {
    inner: AnswerBody,
    deadline: Option<Deadline>,
    left: Option<u64>,
    max: Option<u64>,
    guard: Option<Box<dyn Any + Send>>,
}

impl ResponseBody {
    /// Keeps `guard` until the body is dropped: a permit, a measurement.
    pub fn attach(&mut self, guard: impl Any + Send) {
        self.guard = Some(Box::new(guard));
    }
}

/// A timer that is only set once there is something to wait for.
struct Deadline {
    at: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    timeouts: Timeouts,
}

impl Deadline {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let at = self.at;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        sleep.as_mut().poll(cx).map(|()| too_late(self.timeouts, Seen::Maybe))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(self.count(frame))),
            Poll::Ready(end) => Poll::Ready(end),
            Poll::Pending => match &mut self.deadline {
                Some(deadline) => deadline.poll(cx).map(|failure| Some(Err(failure))),
                None => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl ResponseBody {
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Failure> {
        let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) else {
            return Ok(frame);
        };
        match left.checked_sub(data.len() as u64) {
            Some(rest) => *left = rest,
            None => return Err(too_large(self.max.unwrap_or_default())),
        }
        Ok(frame)
    }
}
