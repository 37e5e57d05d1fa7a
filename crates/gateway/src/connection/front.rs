//! What comes before HTTP: whose connection a proxy passes on, and TLS.

use std::io;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;

use super::sniff::Protocol;
use super::socket::Wire as _;
use super::stream::{Raw, Stream};
use crate::accept::PER_CLIENT;
use crate::address::Address;
use crate::drain::Wish;
use crate::peer::Peer;
use crate::per_client::Place;
use crate::proxy;
use crate::refusals;
use crate::server::Shared;
use crate::tls::{Secure, Tls};

/// A connection on which HTTP begins.
pub(super) struct Entered {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    /// Where TLS has agreed on one.
    pub(super) protocol: Option<Protocol>,
    /// Its place among the connections of the client that a proxy told of.
    pub(super) place: Option<Place>,
}

/// Why a connection ended before HTTP began.
enum Refused {
    /// Its client may not send a PROXY protocol header.
    Stranger,
    /// There was no PROXY protocol header, or none that says anything.
    Header(io::Error),
    /// Its client has as many connections as it may.
    TooMany(Address),
    /// TLS could not be agreed on.
    Tls(io::Error),
    /// It took too long, or the server stops.
    Late,
}

/// Brings a connection to where HTTP begins. What does not get there is counted and logged.
pub(super) async fn enter(raw: Raw, peer: Peer, shared: &Shared) -> Option<Entered> {
    let client = peer.addr.clone();
    let entered = tokio::select! {
        entered = begin(raw, peer, shared) => entered,
        () = tokio::time::sleep(shared.options.handshake_timeout) => Err(Refused::Late),
        () = shared.switch.reached(Wish::Cut) => Err(Refused::Late),
    };
    let refused = match entered {
        Ok(entered) => return Some(entered),
        Err(refused) => refused,
    };
    let reason = refused.reason();
    shared.front.metrics.refused(reason);
    match &refused {
        Refused::Stranger => refusals::say_of_connection(&client, reason, None),
        Refused::Header(error) => refusals::say_of_connection(&client, reason, Some(error)),
        Refused::TooMany(client) => refusals::say_of_connection(client, reason, None),
        // Scanners and clients that leave are many, and none of an operator's business.
        Refused::Tls(error) => tracing::debug!(%client, reason, %error, "connection refused"),
        Refused::Late => tracing::debug!(%client, reason, "connection refused"),
    }
    None
}

impl Refused {
    /// In one word, for metrics.
    fn reason(&self) -> &'static str {
        match self {
            Self::Stranger => "not_a_proxy",
            Self::Header(_) => "proxy_header",
            Self::TooMany(_) => PER_CLIENT,
            Self::Tls(_) => "tls",
            Self::Late => "timeout",
        }
    }
}

async fn begin(mut raw: Raw, mut peer: Peer, shared: &Shared) -> Result<Entered, Refused> {
    let mut place = None;
    if let Some(proxies) = &shared.front.proxies {
        if !proxies.contains(&peer.addr) {
            return Err(Refused::Stranger);
        }
        let ends = proxy::read(&mut raw).await.map_err(Refused::Header)?;
        // A proxy that speaks for itself is no client.
        if let Some((addr, local)) = ends {
            place = among(&raw, &addr, shared)?;
            peer = Peer::new(addr, local, peer.connection);
        }
    }
    let (stream, protocol) = match &shared.front.tls {
        None => (Stream::Open(raw), None),
        Some(tls) => secure(raw, &mut peer, tls).await.map_err(Refused::Tls)?,
    };
    Ok(Entered {
        stream,
        peer,
        protocol,
        place,
    })
}

/// A place among the connections of the client that a proxy told of, where these are bounded.
fn among(raw: &Raw, client: &Address, shared: &Shared) -> Result<Option<Place>, Refused> {
    let Some(clients) = &shared.front.per_client else {
        return Ok(None);
    };
    clients.take(client).map_err(|_| {
        raw.abort();
        Refused::TooMany(client.clone())
    })
}

async fn secure(raw: Raw, peer: &mut Peer, tls: &Tls) -> io::Result<(Stream, Option<Protocol>)> {
    let stream = TlsAcceptor::from(tls.config()).accept(raw).await?;
    let (_, connection) = stream.get_ref();
    // Without ALPN the first bytes tell, as they do in plain text.
    let protocol = match connection.alpn_protocol() {
        Some(b"h2") => Some(Protocol::Http2),
        Some(_) => Some(Protocol::Http1),
        None => None,
    };
    peer.secure = Some(Arc::new(Secure::of(connection)));
    Ok((Stream::Tls(Box::new(stream)), protocol))
}
