//! Requests after which a connection, or a stream of HTTP/2, may go on in another protocol.

use std::io::Cursor;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use raincheck_core::upgrade;
use raincheck_exchange::upgrade::{Asked, Takeover, Upgraded};
use tokio::io::{self, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::drive::End;
use super::pulse::{Flight, Pulse};
use super::socket::{Socket, Wire};
use crate::drain::Wish;
use crate::guard::Guard;
use crate::server::{Abort, Shared};

/// Whether the guard holds back what follows this request of HTTP/1. Tells the handler what it may
/// switch to.
pub(super) fn ask<B>(request: &mut Request<B>) -> bool {
    let held_back =
        request.version() == Version::HTTP_11 && request.headers().contains_key(UPGRADE);
    if held_back && let Some(protocols) = upgrade::offered(request.headers()) {
        request.extensions_mut().insert(Asked::new(protocols));
    }
    held_back
}

/// A stream of HTTP/2 whose client asks for another protocol.
#[derive(Debug)]
pub(super) struct Stream {
    upgrade: OnUpgrade,
    pulse: Arc<Pulse>,
    leaving: CancellationToken,
}

impl Stream {
    /// The stream of a request, if that is an extended CONNECT (RFC 8441). Tells the handler what it
    /// may switch to.
    pub(super) fn ask<B>(
        request: &mut Request<B>,
        pulse: &Arc<Pulse>,
        shared: &Shared,
    ) -> Option<Box<Self>> {
        if *request.method() != Method::CONNECT {
            return None;
        }
        let protocol = request.extensions().get::<hyper::ext::Protocol>()?;
        let protocol = HeaderValue::from_str(protocol.as_str()).ok()?;
        request.extensions_mut().insert(Asked::new(protocol));
        Some(Box::new(Self {
            upgrade: request.extensions_mut().remove::<OnUpgrade>()?,
            pulse: Arc::clone(pulse),
            leaving: shared.switch.leaving(),
        }))
    }

    /// Takes the answer: a 101 is a 200 here. What takes over runs as a task that ends with the
    /// stream.
    ///
    /// # Errors
    /// The answer says that the protocol was switched, and nobody has taken over.
    pub(super) fn settle<B>(self, response: &mut Response<B>) -> Result<(), Abort> {
        let status = response.status();
        if !status.is_success() && !status.is_informational() {
            return Ok(());
        }
        let takeover = response.extensions_mut().remove::<Takeover>();
        let takeover = takeover.ok_or(Abort)?;
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove(CONNECTION);
        response.headers_mut().remove(UPGRADE);
        // As long as it runs the connection is not idle.
        let flight = Flight::begin(self.pulse);
        tokio::spawn(async move {
            if let Ok(stream) = self.upgrade.await {
                let io = TokioIo::new(stream);
                takeover.run(Upgraded::new(io, self.leaving)).await;
            }
            drop(flight);
        });
        Ok(())
    }
}

/// Notes the answer to a request of HTTP/1, which may be the last of its connection.
///
/// # Errors
/// It is an interim status that is not the answer to a request for an upgrade.
pub(super) fn settle<B>(
    response: &mut Response<B>,
    held_back: bool,
    pulse: &Pulse,
) -> Result<(), Abort> {
    if !response.status().is_informational() {
        if held_back {
            pulse.keep();
        }
        return Ok(());
    }
    let takeover = response.extensions_mut().remove::<Takeover>();
    match takeover {
        Some(takeover) if held_back && response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            pulse.hand_over(takeover);
            Ok(())
        }
        _ => Err(Abort),
    }
}

/// Runs what takes over a connection of HTTP/1, if something does, until its end or that of the
/// grace period. Gives back what is to be closed as HTTP.
pub(super) async fn run<S: Wire>(
    guard: Guard<Socket<S>>,
    takeover: &Takeover,
    shared: &Shared,
) -> End {
    let Some((socket, early)) = guard.into_switched() else {
        // The answer came before the end of the request: nobody knows what the bytes are.
        return End::Done;
    };
    let (read, write) = io::split(socket);
    let io = io::join(Cursor::new(early).chain(read), write);
    let upgraded = Upgraded::new(io, shared.switch.leaving());
    let running = takeover.clone().run(upgraded);
    tokio::select! {
        () = running => End::Done,
        () = shared.switch.reached(Wish::Cut) => End::Cut,
    }
}
