//! Live, ready, draining: what a load balancer and a supervisor ask.

use http::{Response, StatusCode};
use raincheck_exchange::{Payload, answer};
use raincheck_runner::Runner;
use serde_json::json;

/// The process runs and answers.
pub(crate) fn live() -> Response<Payload> {
    answer::json(StatusCode::OK, &json!({ "status": "live" }))
}

/// New requests are welcome; 503 while draining or when the store takes no changes. With a store
/// that has no room requests are still relayed, so that is 200 with another word.
pub(crate) fn ready(runner: &Runner) -> Response<Payload> {
    let store = runner.store();
    let (status, word, why) = match (store.fault(), runner.is_draining()) {
        (Some(why), _) => (StatusCode::SERVICE_UNAVAILABLE, "failed", Some(why)),
        (None, true) => (StatusCode::SERVICE_UNAVAILABLE, "draining", None),
        (None, false) => match store.lacks_room() {
            Some(why) => (StatusCode::OK, "full", Some(why)),
            None => (StatusCode::OK, "ready", None),
        },
    };
    let document = json!({ "status": word, "why": why, "in_flight": runner.in_flight() });
    answer::json(status, &document)
}

/// What can be asked here.
pub(crate) fn index() -> Response<Payload> {
    let document = json!({
        "raincheck": env!("CARGO_PKG_VERSION"),
        "jobs": "/jobs?status=failed&route=NAME&limit=50&before=ID",
        "job": "/jobs/{id}, /jobs/{id}/result, DELETE /jobs/{id}, POST /jobs/{id}/retry",
        "health": ["/health/live", "/health/ready"],
        "metrics": "/metrics",
        "reload": "POST /reload",
        "upstreams": "/upstreams",
        "openapi": "/openapi.json",
        "problems": "/problems/RC0001",
    });
    answer::json(StatusCode::OK, &document)
}
