//! Requests that ask for another protocol: relayed, and after a `101` the bytes of that protocol.
//!
//! Up to the answer it is a request like any other: its route's rules of access, rates, fields and
//! times hold. Its upstream connection is its own. What the client sends before the `101` stays
//! with the guard of its connection, so the upstream never sees a byte of it; if the answer is
//! another one, what the client sent is the next request, and comes in through the front door.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body::Body as _;
use raincheck_core::limits::UPGRADE_BODY_BYTES;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::route::upstream::Protocol;
use raincheck_core::route::{KeyUse, Mode, Route};
use raincheck_exchange::open::Bounds;
use raincheck_exchange::tunnel::copy::{End, Way, copy};
use raincheck_exchange::tunnel::{self, Opening, Switch};
use raincheck_exchange::upgrade::{Asked, take_over};
use raincheck_exchange::{Outbound, Payload, replay};
use raincheck_telemetry::TunnelMetrics;
use tokio::time::Instant;

use crate::connection::arriving::Arriving;
use crate::server::{Address, Peer};
use crate::service::{Service, failed};
use crate::{dedup, intake, rewrite};

impl Service {
    /// Relays a request that asks for another protocol.
    pub(crate) async fn tunnel(
        &self,
        route: &Arc<Route>,
        asked: Asked,
        parts: Parts,
        incoming: Arriving,
        peer: &Peer,
    ) -> Result<Response<Payload>, Problem> {
        check(route, &asked, &incoming)?;
        let mut head = self.forwarder().request_head(parts, peer)?;
        if route.duplicates.key == KeyUse::Required {
            dedup::findable(route, &head.headers)?;
        }
        if let Some(rewrite) = &route.rewrite {
            rewrite::request_head(rewrite, &mut head)?;
        }
        self.check_upstream(route)?;
        let permit = self.permit(route).await?;
        let runner = self.runner();
        // All of it, so that what follows it can only be the other protocol.
        let limit = route.max_request.min(UPGRADE_BODY_BYTES);
        let bodies = &**runner.store();
        let whole = intake::take(incoming, limit, self.options(), bodies, None).await?;
        let now = runner.ambient().now();
        let timeouts = Timeouts::new(route, None);
        let outbound = Outbound {
            job: runner.ambient().job_id_at(now),
            attempt: 1,
            deadline: timeouts.total.map(|total| now.after(total)),
            progress: None,
        };
        let repeatable = route.repeats(&head.method);
        let mut request = outbound.whole(route.dressed(head), &whole.body, &whole.trailers);
        offer(request.headers_mut(), &asked);
        let bounds = Bounds {
            timeouts,
            max_response: route.max_response,
            attended: Duration::ZERO,
        };
        let opening = tunnel::open(runner.upstreams(), &route.upstream, request, bounds).await;
        match opening.map_err(|failure| failed(&failure, repeatable))? {
            Opening::Answered(opened) => {
                let mut opened = opened.shown_by(route);
                opened.body.attach(permit);
                Ok(replay::relay(opened))
            }
            Opening::Switched(switch) => {
                // From here on it is bounded as a connection, of the client and of the upstream.
                drop(permit);
                let metrics = runner.metrics().route(&route.name);
                let tunnels = metrics.map(|metrics| metrics.tunnels().clone());
                switched(route, &asked, *switch, peer.addr.clone(), tunnels)
            }
        }
    }
}

/// Refuses what cannot be passed on before anything is sent.
fn check(route: &Route, asked: &Asked, incoming: &Arriving) -> Result<(), Problem> {
    let unsupported = |detail: String| Err(Problem::new(ProblemCode::UpgradeNotSupported, detail));
    if route.mode == Mode::Async {
        return unsupported(format!(
            "route '{}' is async: its answer is a ticket and never another protocol",
            route.name
        ));
    }
    let mut upstreams = route.upstream.upstreams();
    if upstreams.any(|upstream| upstream.protocol() == Protocol::H2) {
        return unsupported(format!(
            "the upstream of route '{}' speaks HTTP/2, which has no Upgrade",
            route.name
        ));
    }
    if asked.names("websocket") && !incoming.is_end_stream() {
        let detail = "a WebSocket handshake has no body";
        return Err(Problem::new(ProblemCode::MalformedRequest, detail));
    }
    Ok(())
}

/// The offer for this hop (RFC 9110 section 7.8).
fn offer(headers: &mut HeaderMap, asked: &Asked) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, asked.protocols().clone());
}

/// The answer `101`, and the tunnel behind it.
fn switched(
    route: &Route,
    asked: &Asked,
    switch: Switch,
    client: Address,
    metrics: Option<TunnelMetrics>,
) -> Result<Response<Payload>, Problem> {
    let Switch {
        mut head,
        protocol,
        mut stream,
    } = switch;
    let broken = |detail| Err(Problem::new(ProblemCode::UpstreamBroken, detail));
    let protocol = match protocol.as_ref().map(HeaderValue::to_str) {
        Some(Ok(protocol)) if is_asked(asked, protocol) => protocol.to_owned(),
        _ => return broken("the upstream switched to a protocol that nobody asked for"),
    };
    if let Some(rewrite) = &route.rewrite {
        rewrite.response_fields.apply(&mut head.headers);
    }
    let mut response = replay::with_head(head, Payload::Empty);
    let idle = route.upgrade_idle;
    let tunnel = Tunnel::new(route, &protocol, client, metrics);
    take_over(&mut response, &protocol, move |io| async move {
        let passed = |way, bytes| tunnel.passed(way, bytes);
        let end = copy(io, stream.io(), idle, passed).await;
        tunnel.ended(&end);
    });
    Ok(response)
}

/// Whether each of the protocols that were switched to was asked for.
fn is_asked(asked: &Asked, protocols: &str) -> bool {
    let mut protocols = protocols.split(',').map(str::trim);
    protocols.all(|protocol| asked.names(protocol))
}

/// An open tunnel, counted until it is dropped and logged once.
struct Tunnel {
    route: String,
    protocol: String,
    client: Address,
    begun: Instant,
    metrics: Option<TunnelMetrics>,
    up: AtomicU64,
    down: AtomicU64,
    /// How it ended, where that was not the end of our own time.
    end: std::sync::OnceLock<&'static str>,
}

impl Tunnel {
    fn new(route: &Route, protocol: &str, client: Address, metrics: Option<TunnelMetrics>) -> Self {
        if let Some(metrics) = &metrics {
            metrics.open.inc();
        }
        Self {
            route: route.name.to_string(),
            protocol: protocol.to_owned(),
            client,
            begun: Instant::now(),
            metrics,
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            end: std::sync::OnceLock::new(),
        }
    }

    fn passed(&self, way: Way, bytes: usize) {
        let bytes = bytes as u64;
        let total = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        total.fetch_add(bytes, Relaxed);
        if let Some(metrics) = &self.metrics {
            match way {
                Way::Up => metrics.up.inc_by(bytes),
                Way::Down => metrics.down.inc_by(bytes),
            };
        }
    }

    fn ended(&self, end: &End) {
        let end = match end {
            End::Closed => "closed",
            End::Idle => "idle",
            End::Broken(Way::Up, error) => {
                tracing::debug!(%error, "a tunnel broke on its way to the upstream");
                "broken_up"
            }
            End::Broken(Way::Down, error) => {
                tracing::debug!(%error, "a tunnel broke on its way to the client");
                "broken_down"
            }
        };
        _ = self.end.set(end);
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        if let Some(metrics) = &self.metrics {
            metrics.open.dec();
        }
        tracing::info!(
            route = self.route,
            protocol = self.protocol,
            client = %self.client,
            seconds = self.begun.elapsed().as_secs_f64(),
            bytes_up = self.up.load(Relaxed),
            bytes_down = self.down.load(Relaxed),
            end = self.end.get().copied().unwrap_or("cut"),
            "tunnel ended"
        );
    }
}
