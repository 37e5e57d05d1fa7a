//! The Prometheus scrape.

use http::{Response, header};
use raincheck_exchange::Payload;
use raincheck_runner::Runner;
use raincheck_telemetry::Metrics;

use crate::respond;

/// All metrics as text; what is counted elsewhere is read at this moment.
pub(crate) fn scrape(runner: &Runner, metrics: &Metrics) -> Response<Payload> {
    let text = metrics.expose(&runner.store().counts(), runner.in_flight());
    let mut response = Response::new(Payload::from(text.into_bytes()));
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    respond::set(&mut response, header::CONTENT_TYPE, kind);
    respond::set(&mut response, header::CACHE_CONTROL, "no-store");
    response
}
