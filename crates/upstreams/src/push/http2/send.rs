//! One request on one stream, until the head of its response is there.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use http::header::{CONNECTION, HOST, TE, TRANSFER_ENCODING, UPGRADE};
use http::uri::{Authority, PathAndQuery};
use http::{HeaderName, HeaderValue, Request, Uri, Version};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;
use tokio::time::Instant;

use super::super::answer::{Answer, AnswerBody};
use super::super::body::WireBody;
use super::super::framing;
use super::super::group::{Place as AtServer, Server};
use super::super::host::Host;
use super::super::lease;
use super::super::link::Link;
use super::super::pool::Upstreams;
use super::super::send::{Refused, Unsent};
use super::super::silence::{Silence, Timer};
use super::super::words::{self, Phase};
use super::{Http2, Place};

/// How often a request that its connection did not take is put on another one.
const TRIES: usize = 3;
/// Fields of one connection, which HTTP/2 has no place for (RFC 9113 section 8.2.2).
const OF_HTTP1: [HeaderName; 6] = [
    CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// An exchange on a stream. Dropping it before the answer's end resets the stream.
pub(in crate::push) struct InStream {
    pub(in crate::push) link: Arc<Link>,
    pub(in crate::push) timer: Timer,
    _place: Place,
    _at_server: Option<Box<AtServer>>,
}

/// Sends a request on a connection of the pool.
///
/// Cancel safety: dropping the future resets the stream.
pub(in crate::push) async fn send(
    http2: &Http2,
    pool: &Upstreams,
    host: &Host,
    request: Request<WireBody>,
    timeouts: Timeouts,
    server: Option<&Arc<Server>>,
) -> Result<Answer, Refused> {
    let mut request = fitted(request, &host.upstream);
    let mut failure = words::closed_at_once();
    for _ in 0..TRIES {
        let place = match http2.place(pool, host, timeouts.connect).await {
            Ok(place) => place,
            Err(failure) => return Err(Unsent::refused(request, failure)),
        };
        let at_server = lease::place(server);
        match exchange(place, at_server, request, timeouts).await {
            Err(Refused::Unsent(unsent)) => {
                request = unsent.request;
                failure = unsent.failure;
            }
            sent => return sent,
        }
    }
    Err(Unsent::refused(request, failure))
}

async fn exchange(
    place: Place,
    at_server: Option<Box<AtServer>>,
    mut request: Request<WireBody>,
    timeouts: Timeouts,
) -> Result<Answer, Refused> {
    let link = Arc::new(Link::new());
    link.begin();
    let again = copy(&request);
    request.body_mut().attach(&link);
    let mut sender = place.connection.sender();
    let mut stream = InStream {
        link,
        timer: None,
        _place: place,
        _at_server: at_server,
    };
    let mut silence = Silence::from(timeouts.idle, Instant::now());
    let answered = {
        let mut sent = pin!(sender.try_send_request(request));
        // From here on the connection's task may have sent any of it.
        stream.link.note_written();
        stream.link.note_flushed();
        poll_fn(|cx| {
            if let Poll::Ready(answered) = sent.as_mut().poll(cx) {
                return Poll::Ready(Ok(answered));
            }
            silence.poll(&mut stream.timer, &stream.link, cx).map(Err)
        })
        .await
    };
    let answered = answered
        .map_err(|limit| Refused::Failed(words::silent(limit, &stream.link, Phase::Head)))?;
    let response = answered.map_err(|mut error| {
        if let Some(request) = error.take_message() {
            return Unsent::refused(request, words::closed_at_once());
        }
        match (words::unprocessed(error.error()), again) {
            (Some(failure), Some(request)) => Unsent::refused(request, failure),
            (Some(failure), None) => Refused::Failed(failure),
            (None, _) => Refused::Failed(words::broken(error.error(), &stream.link, Phase::Head)),
        }
    })?;
    let (head, incoming) = response.into_parts();
    let body = AnswerBody::in_stream(incoming, Box::new(stream), timeouts.idle);
    Ok(Answer { head, body })
}

/// The request once more, where its body is at hand: for a peer that says that it has not looked
/// at it.
fn copy(request: &Request<WireBody>) -> Option<Request<WireBody>> {
    let body = request.body().copied()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// The request as HTTP/2 wants it: `Host` becomes the authority.
fn fitted(mut request: Request<WireBody>, upstream: &Upstream) -> Request<WireBody> {
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    let host = headers.get(HOST).cloned();
    for name in &OF_HTTP1 {
        headers.remove(name);
    }
    // We read trailers whatever the client does, and gRPC servers insist on it.
    headers.insert(TE, HeaderValue::from_static("trailers"));
    let written = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let authority = written.or_else(|| upstream.authority().parse().ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    if parts.authority.is_none() {
        parts.authority = authority;
    }
    parts.scheme = upstream.scheme.as_str().parse().ok();
    let root = || PathAndQuery::from_static("/");
    parts.path_and_query = Some(parts.path_and_query.unwrap_or_else(root));
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    request
}

/// The request as HTTP/1.1 wants it, of one that was made to fit HTTP/2.
pub(in crate::push) fn unfitted(mut request: Request<WireBody>) -> Request<WireBody> {
    *request.version_mut() = Version::HTTP_11;
    let parts = std::mem::take(request.uri_mut()).into_parts();
    let host = parts.authority.map(|authority| authority.to_string());
    let host = host.and_then(|host| HeaderValue::try_from(host).ok());
    if let Some(path) = parts.path_and_query {
        *request.uri_mut() = path.into();
    }
    let headers = request.headers_mut();
    headers.remove(TE);
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    let (mut parts, body) = request.into_parts();
    framing::complete(&mut parts.headers, &body);
    Request::from_parts(parts, body)
}
