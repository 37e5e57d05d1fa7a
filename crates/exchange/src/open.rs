//! Sends a request and returns when the response head is there; the rest is a body with limits.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use raincheck_core::head::ResponseHead;
use raincheck_core::hop;
use raincheck_core::outcome::{Failure, Seen};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::{Backends, Route};
use raincheck_upstreams::{OutBody, Until, Upstreams};
use tokio::time::{Instant, Sleep};

use crate::incoming::{ResponseBody, too_late};

/// A response whose head is there.
pub struct Opened {
    /// Its head, without hop-by-hop fields.
    pub head: ResponseHead,
    /// What follows.
    pub body: ResponseBody,
}

impl Opened {
    /// The same as the route shows it. Done as soon as it is there, so that who gets it from the
    /// store gets what anybody else would have got.
    #[must_use]
    pub fn shown_by(mut self, route: &Route) -> Self {
        if let Some(rewrite) = &route.rewrite {
            rewrite.response_fields.apply(&mut self.head.headers);
        }
        self
    }
}

/// The bounds of one exchange.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Its times.
    pub timeouts: Timeouts,
    /// Bytes of the response body at most.
    pub max_response: Option<u64>,
    /// For how long the caller polls again by itself, at its end at the latest: until then the total
    /// time needs no timer. Zero where nobody does.
    pub attended: Duration,
}

/// Sends `request`. Dropping the future closes the connection.
///
/// # Errors
/// The failure says whether the backend may have seen the request.
pub async fn open(
    upstreams: &Upstreams,
    upstream: &Backends,
    request: Request<OutBody>,
    bounds: Bounds,
) -> Result<Opened, Failure> {
    let Bounds {
        timeouts,
        max_response,
        attended,
    } = bounds;
    let begun = Instant::now();
    let total = timeouts
        .total
        .and_then(|total| begun.checked_add(total))
        .map(|at| Until::new(at, request.extensions()));
    let mut send = pin!(upstreams.send_to(upstream, request, timeouts));
    let answer = match &total {
        None => send.await?,
        Some(until) => within(send.as_mut(), until, begun + attended)
            .await
            .ok_or_else(|| too_late(timeouts, Seen::Unknown))??,
    };
    let head = response_head(answer.head);
    let body = ResponseBody::new(
        answer.body,
        total.map(|until| (until, timeouts)),
        max_response,
    )?;
    Ok(Opened { head, body })
}

/// The output of `future`, or none once `until` has come. No timer is set before `attended`:
/// until then the caller polls again by itself.
async fn within<F: Future>(
    mut future: Pin<&mut F>,
    until: &Until,
    attended: Instant,
) -> Option<F::Output> {
    let mut sleep = pin!(None::<Sleep>);
    let attended = attended.min(until.at());
    let mut alone = false;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        alone = alone || Instant::now() >= attended;
        if !alone {
            return Poll::Pending;
        }
        if sleep.is_none() {
            sleep.set(Some(tokio::time::sleep_until(until.at())));
        }
        let Some(mut sleep) = sleep.as_mut().as_pin_mut() else {
            return Poll::Pending;
        };
        loop {
            ready!(sleep.as_mut().poll(cx));
            match until.later() {
                None => return Poll::Ready(None),
                Some(later) => sleep.as_mut().reset(later),
            }
        }
    })
    .await
}

pub(crate) fn response_head(mut parts: http::response::Parts) -> ResponseHead {
    hop::strip(&mut parts.headers);
    let reason = parts.extensions.get::<hyper::ext::ReasonPhrase>();
    let usual = parts.status.canonical_reason().unwrap_or("");
    let reason = reason
        .filter(|reason| reason.as_bytes() != usual.as_bytes())
        .map(|reason| Bytes::copy_from_slice(reason.as_bytes()));
    ResponseHead {
        status: parts.status.as_u16(),
        reason,
        headers: parts.headers,
    }
}
