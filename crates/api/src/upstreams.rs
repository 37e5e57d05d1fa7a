//! The servers of upstreams with several or watched ones: which may be used, and why not.

use http::{Response, StatusCode};
use raincheck_exchange::{Payload, answer};
use raincheck_runner::Runner;
use raincheck_upstreams::ServerState;
use serde_json::{Value, json};

/// Every server, grouped by upstream.
pub(crate) fn list(runner: &Runner) -> Response<Payload> {
    let states = runner.upstreams().states();
    let groups = states.chunk_by(|one, other| one.upstream == other.upstream);
    let upstreams: Vec<Value> = groups.filter_map(group).collect();
    answer::json(StatusCode::OK, &json!({ "upstreams": upstreams }))
}

fn group(servers: &[ServerState]) -> Option<Value> {
    let name = &servers.first()?.upstream;
    let usable = servers.iter().filter(|server| server.usable).count();
    let servers: Vec<Value> = servers.iter().map(server).collect();
    Some(json!({ "name": name, "usable": usable, "servers": servers }))
}

fn server(state: &ServerState) -> Value {
    let why = match (state.unhealthy, state.ejected_for) {
        (true, _) => Some("unhealthy"),
        (false, Some(_)) => Some("ejected"),
        (false, None) => None,
    };
    json!({
        "server": state.server,
        "usable": state.usable,
        "why": why,
        "ejected_for_seconds": state.ejected_for.map(|left| left.as_secs_f64()),
        "last_check_failed": state.complaint,
        "weight": state.weight,
        "in_flight": state.outstanding,
        "ejections": state.ejections,
    })
}
