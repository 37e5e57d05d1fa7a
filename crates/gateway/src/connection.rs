//! One client's connection, HTTP/1 or HTTP/2, from its first byte to its close.

pub(crate) mod arriving;
mod close;
mod drive;
mod flood;
mod front;
mod http1;
mod http2;
pub(crate) mod pulse;
pub(crate) mod sniff;
pub(crate) mod socket;
pub(crate) mod stream;
mod streams;
mod takeover;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper::body::Incoming;

use raincheck_core::problem::ProblemCode;

use crate::accept::Serve;
use crate::drain::Wish;
use crate::holding::Holding;
use crate::refusals;
use crate::server::{Abort, Handler, Peer, Shared};
use arriving::{Arriving, Prospect};
use drive::End;
use pulse::{Flight, Pulse};
use sniff::{Protocol, Sniffed};
use socket::Wire;
use stream::Raw;

/// What an ended flood of HTTP/2 frames is called in metrics and logs.
const FLOOD: &str = "flood";

/// Serves what is HTTP from its first byte.
pub(crate) struct Plain;

impl<S: Wire, H: Handler> Serve<S, H> for Plain {
    async fn serve(stream: S, handler: Arc<H>, peer: Peer, shared: &Shared) {
        serve(stream, handler, peer, shared).await;
    }
}

/// Serves what has TLS or a PROXY protocol header in front of HTTP, and all that is not TCP.
pub(crate) struct Fronted;

impl<H: Handler> Serve<Raw, H> for Fronted {
    async fn serve(raw: Raw, handler: Arc<H>, peer: Peer, shared: &Shared) {
        let Some(entered) = front::enter(raw, peer, shared).await else {
            return;
        };
        let (stream, peer) = (entered.stream, entered.peer);
        match entered.protocol {
            None => serve(stream, handler, peer, shared).await,
            Some(protocol) => {
                let first = Sniffed::default();
                serve_as(protocol, stream, first, handler, peer, shared).await;
            }
        }
        drop(entered.place);
    }
}

/// Serves one connection to its end.
async fn serve<H: Handler, S: Wire>(mut stream: S, handler: Arc<H>, peer: Peer, shared: &Shared) {
    let mut first = Sniffed::default();
    let goodbye = stream.says_goodbye();
    let protocol = tokio::select! {
        biased;
        // A client that has sent something is heard even when the server drains.
        told = first.protocol(&mut stream) => told.unwrap_or(Protocol::Nothing),
        () = parted(shared, !goodbye) => Protocol::Nothing,
        () = tokio::time::sleep(shared.options.head_timeout) => Protocol::Nothing,
    };
    serve_as(protocol, stream, first, handler, peer, shared).await;
}

/// Waits until a connection without a byte is to end.
async fn parted(shared: &Shared, can_give: bool) {
    shared.switch.reached(Wish::Drain).await;
    tokio::time::sleep(shared.last_wait(can_give)).await;
}

/// Serves one connection whose protocol is known.
async fn serve_as<H: Handler, S: Wire>(
    protocol: Protocol,
    stream: S,
    first: Sniffed,
    handler: Arc<H>,
    peer: Peer,
    shared: &Shared,
) {
    // Each request has a handle on it.
    let peer = Arc::new(peer);
    let served = Served {
        handler,
        peer: Arc::clone(&peer),
        pulse: Arc::default(),
    };
    let pulse = Arc::clone(&served.pulse);
    let end = match protocol {
        Protocol::Http1 => http1::serve(stream, first, served, shared).await,
        Protocol::Http2 => http2::serve(stream, first, served, shared).await,
        Protocol::Nothing => {
            if let (Some(heir), true) = (shared.heir.get(), first.is_empty())
                && let Some(socket) = stream.give()
            {
                heir.take(socket);
            }
            End::Done
        }
    };
    record(&end, &pulse, &peer, shared);
}

/// Counts and logs how a connection ended.
fn record(end: &End, pulse: &Pulse, peer: &Peer, shared: &Shared) {
    if matches!(end, End::Cut) {
        shared.cut.fetch_add(1, Ordering::AcqRel);
    } else if shared.switch.wish() >= Wish::Drain {
        shared.ended.fetch_add(1, Ordering::AcqRel);
    }
    let client = &peer.addr;
    if pulse.is_flooded() {
        shared.front.metrics.refused(FLOOD);
        return refusals::say_of_connection(client, FLOOD, None);
    }
    match end {
        End::Done | End::Released => {}
        End::Failed(error) => match http2::broken_rule(error) {
            Some(reason) => refusals::say(peer, ProblemCode::MalformedRequest, &reason),
            None => tracing::debug!(%client, %error, "connection failed"),
        },
        End::TimedOut(phase) => tracing::debug!(%client, ?phase, "connection timed out"),
        End::Cut => tracing::info!(%client, "connection cut by the end of the grace period"),
    }
}

/// Whether the client is to know that its connection ends: we stop; or it has not sent all of the
/// body, and we have refused how the body goes on, or the request, and would not read the rest of
/// its body for nothing; or it waits to be asked for the body, and the answer is there without it
/// (RFC 9110 section 10.1.1). HTTP/2 has no need of it.
fn closes<B>(response: &Response<B>, prospect: Prospect, pulse: &Pulse, flight: &Flight) -> bool {
    // What follows a 101 is not HTTP's to close.
    if response.status().is_informational() {
        return false;
    }
    let is_last = prospect.serial && pulse.is_parting();
    if !pulse.is_mid_body(flight) {
        return is_last;
    }
    let refuses = response.status().is_client_error() || response.status().is_server_error();
    let unasked = prospect.expects && pulse.rest().is_unasked();
    is_last || refuses && prospect.long || pulse.is_refused() || unasked
}

/// What answers the requests of one connection.
pub(crate) struct Served<H> {
    handler: Arc<H>,
    peer: Arc<Peer>,
    pulse: Arc<Pulse>,
}

impl<H: Handler> Served<H> {
    /// Answers one request. On HTTP/2 it may be one for the stream itself.
    fn answer(
        &self,
        mut request: Request<Incoming>,
        stream: Option<Box<takeover::Stream>>,
    ) -> impl Future<Output = Result<Response<Holding<H::Body, Flight>>, Abort>> + Send + use<H>
    {
        let handler = Arc::clone(&self.handler);
        let pulse = Arc::clone(&self.pulse);
        let peer = Arc::clone(&self.peer);
        // Before the first poll: hyper looks for the end of the stream between the two.
        let flight = Flight::begin(Arc::clone(&pulse));
        let held_back = pulse.is_offered() && takeover::ask(&mut request);
        let (request, prospect) = Arriving::on(&pulse, request);
        // Boxed: hyper moves the future around several times before it polls it, and it is large.
        let answering = Box::pin(async move { handler.handle(request, peer).await });
        async move {
            let mut response = answering.await?;
            match stream {
                None => takeover::settle(&mut response, held_back, &pulse)?,
                Some(stream) => stream.settle(&mut response)?,
            }
            if closes(&response, prospect, &pulse, &flight) {
                pulse.rest().close();
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            Ok(response.map(|body| Holding::new(body, flight)))
        }
    }
}

/// Connections without a socket, for tests of what lies below hyper.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;

    use tokio::io::DuplexStream;

    use super::{Served, http1, sniff::Sniffed, socket::Wire};
    use crate::server::{Address, Front, Handler, Peer, ServerOptions, Shared};

    impl Wire for DuplexStream {
        fn abort(&self) {}
    }

    /// Serves HTTP/1 on one end of a pipe.
    pub(crate) async fn serve<H: Handler>(stream: DuplexStream, handler: Arc<H>) {
        let local = Address::Tcp(([127, 0, 0, 1], 80).into());
        let served = Served {
            handler,
            peer: Arc::new(Peer::new(local.clone(), local.clone(), 0)),
            pulse: Arc::default(),
        };
        let shared = Shared::new(ServerOptions::default(), local, Front::default());
        let first = Sniffed::default();
        http1::serve(stream, first, served, &shared).await;
    }
}
