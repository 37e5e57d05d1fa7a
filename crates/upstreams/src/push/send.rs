//! One request on one connection, until the head of its response is there.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use raincheck_core::outcome::Failure;
use tokio::time::Instant;

use super::answer::{Answer, AnswerBody};
use super::body::WireBody;
use super::framing;
use super::lease::Lease;
use super::parked;
use super::silence::Silence;
use super::switch::Switching;
use super::words::{self, Phase};

/// After how long a silence the rest of it is waited for in less memory, see [`parked`]. That is
/// another start of hyper, so it is not for what is nearly there.
const LONG: Duration = Duration::from_millis(250);

/// Why there is no answer.
pub(super) enum Refused {
    /// Not a byte of the request left us, and it is still here.
    Unsent(Box<Unsent>),
    /// Anything else.
    Failed(Failure),
}

/// A request that was not sent.
pub(super) struct Unsent {
    pub(super) request: Request<WireBody>,
    /// Why.
    pub(super) failure: Failure,
}

impl Unsent {
    pub(super) fn refused(request: Request<WireBody>, failure: Failure) -> Refused {
        Refused::Unsent(Box::new(Self { request, failure }))
    }
}

impl Refused {
    pub(super) fn into_failure(self) -> Failure {
        match self {
            Self::Unsent(unsent) => unsent.failure,
            Self::Failed(failure) => failure,
        }
    }
}

/// Sends a request on a connection.
///
/// Cancel safety: dropping the future closes the connection.
pub(super) async fn exchange(
    mut lease: Lease,
    mut request: Request<WireBody>,
    idle: Option<Duration>,
    now: Instant,
) -> Result<Answer, Refused> {
    let conn = &mut *lease.conn;
    conn.link.begin();
    request.body_mut().attach(&conn.link);
    let method = request.method();
    let is_head = method == Method::HEAD;
    let parks = !conn.switches && method != Method::CONNECT;
    let mut silence = Silence::from(Some(idle.unwrap_or(LONG).min(LONG)), now);
    let mut sent = pin!(conn.sender.try_send_request(request));
    let answered = loop {
        let came = poll_fn(|cx| {
            if let Poll::Ready(answered) = sent.as_mut().poll(cx) {
                return Poll::Ready(Ok(answered));
            }
            silence.poll(&mut conn.timer, &conn.link, cx).map(Err)
        });
        match came.await {
            Ok(_) if conn.link.has_left() => {
                return Box::pin(parked::wait(lease, is_head, idle, now)).await;
            }
            Ok(answered) => break answered,
            Err(limit) if idle == Some(limit) => {
                let failure = words::silent(limit, &conn.link, Phase::Head);
                return Err(Refused::Failed(failure));
            }
            Err(_) => {
                silence = Silence::from(idle, now);
                if parks {
                    conn.link.ask_to_leave();
                }
            }
        }
    };
    let response = answered.map_err(|mut error| match error.take_message() {
        Some(request) => Unsent::refused(request, words::closed_at_once()),
        None => Refused::Failed(words::broken(error.error(), &conn.link, Phase::Head)),
    })?;
    answer(response, lease, idle).map_err(Refused::Failed)
}

pub(super) fn answer(
    mut response: Response<Incoming>,
    lease: Lease,
    idle: Option<Duration>,
) -> Result<Answer, Failure> {
    if lease.conn.switches && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = hyper::upgrade::on(&mut response);
        let (head, incoming) = response.into_parts();
        let switching = Switching::new(upgrade, lease);
        let body = AnswerBody::switching(incoming, Box::new(switching));
        return Ok(Answer { head, body });
    }
    let (head, incoming) = response.into_parts();
    framing::check(&head)?;
    let body = AnswerBody::new(&head, incoming, lease, idle);
    Ok(Answer { head, body })
}
