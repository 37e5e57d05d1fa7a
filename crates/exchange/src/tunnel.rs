//! A request after which client and upstream may go on in another protocol, and the bytes of that.

pub mod copy;

use http::Request;
use http::header::{HeaderValue, UPGRADE};
use raincheck_core::head::ResponseHead;
use raincheck_core::outcome::{Failure, Seen};
use raincheck_core::route::Backends;
use raincheck_upstreams::{OutBody, Switched, Switches, Until, Upstreams};
use tokio::time::{Instant, timeout_at};

use crate::Opened;
use crate::incoming::{ResponseBody, too_late};
use crate::open::{Bounds, response_head};

/// What an upstream made of a request for another protocol.
pub enum Opening {
    /// It goes on in another protocol.
    Switched(Box<Switch>),
    /// It has answered like to any other request.
    Answered(Box<Opened>),
}

/// The head of a `101` and what follows it.
pub struct Switch {
    /// The head, without fields of one hop.
    pub head: ResponseHead,
    /// The protocol, as the head named it; none: it named none.
    pub protocol: Option<HeaderValue>,
    /// The upstream's bytes.
    pub stream: Switched,
}

/// Sends a request that may be answered with `101`, on a connection of its own. The times bound it
/// up to the head of that, or the whole of another answer. Dropping the future closes the
/// connection.
///
/// # Errors
/// As [`open`](crate::open::open).
pub async fn open(
    upstreams: &Upstreams,
    upstream: &Backends,
    mut request: Request<OutBody>,
    bounds: Bounds,
) -> Result<Opening, Failure> {
    let timeouts = bounds.timeouts;
    let total = timeouts
        .total
        .and_then(|total| Instant::now().checked_add(total))
        .map(|at| Until::new(at, request.extensions()));
    request.extensions_mut().insert(Switches);
    let sending = upstreams.send_to(upstream, request, timeouts);
    let mut answer = match &total {
        None => sending.await?,
        Some(until) => timeout_at(until.at(), sending)
            .await
            .map_err(|_| too_late(timeouts, Seen::Unknown))??,
    };
    let Some(switching) = answer.body.take_switching() else {
        let until = total.map(|until| (until, timeouts));
        let body = ResponseBody::new(answer.body, until, bounds.max_response)?;
        let head = response_head(answer.head);
        return Ok(Opening::Answered(Box::new(Opened { head, body })));
    };
    let protocol = answer.head.headers.get(UPGRADE).cloned();
    Ok(Opening::Switched(Box::new(Switch {
        head: response_head(answer.head),
        protocol,
        stream: switching.stream().await?,
    })))
}
