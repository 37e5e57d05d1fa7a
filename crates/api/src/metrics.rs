//! The Prometheus scrape.

use std::time::Duration;

use http::{Response, header};
use raincheck_core::id::RouteName;
use raincheck_exchange::Payload;
use raincheck_runner::Runner;
use raincheck_telemetry::{Counted, Metrics, ServerNow};

use crate::respond;

/// All metrics as text; what is counted elsewhere is read at this moment.
pub(crate) async fn scrape(runner: &Runner, metrics: &Metrics) -> Response<Payload> {
    let telling = runner.telling();
    let counted = Counted {
        jobs: runner.store().counts(),
        oldest: oldest(runner).await,
        in_flight: runner.in_flight(),
        webhooks: (telling.in_flight, telling.waiting),
        servers: servers(runner),
    };
    let mut response = Response::new(Payload::from(metrics.expose(&counted).into_bytes()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    respond::set(&mut response, header::CONTENT_TYPE, kind);
    respond::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}

fn servers(runner: &Runner) -> Vec<ServerNow> {
    let states = runner.upstreams().states().into_iter();
    let now = states.map(|state| ServerNow {
        upstream: state.upstream,
        server: state.server,
        usable: state.usable,
        in_flight: state.outstanding,
        ejections: state.ejections,
    });
    now.collect()
}

/// How long the oldest due job of each route has been waiting. A store that cannot say leaves it
/// out: the scrape must not fail with it.
async fn oldest(runner: &Runner) -> Vec<(RouteName, Duration)> {
    let now = runner.ambient().now();
    let mut oldest = Vec::new();
    for route in runner.routes().iter() {
        if let Ok(Some(due)) = runner.store().next_due(route.name.clone()).await {
            oldest.push((route.name.clone(), now.since(due)));
        }
    }
    oldest
}
