//! The operations of the admin listener, beside those of jobs.

use raincheck_core::problem::ProblemCode as P;
use serde_json::json;

use super::operation::{Answer, Operation};
use super::parameter::filter;
use super::reserved;
use super::schemas::{example, example_reload, example_upstreams};
use crate::paths::AdminPath;

const TAG: &str = "operators";

/// The operation of a method on a path of the admin listener.
pub(super) fn operation(path: AdminPath<'_>, method: &str) -> Option<Operation> {
    match (path, method) {
        (AdminPath::Index, "GET") => Some(index()),
        (AdminPath::Jobs, "GET") => Some(jobs()),
        (AdminPath::Live, "GET") => Some(live()),
        (AdminPath::Ready, "GET") => Some(ready()),
        (AdminPath::Metrics, "GET") => Some(metrics()),
        (AdminPath::Reload, "POST") => Some(reload()),
        (AdminPath::Upstreams, "GET") => Some(upstreams()),
        (AdminPath::OpenApi, "GET") => Some(reserved::openapi()),
        (AdminPath::Problem(_), "GET") => Some(reserved::problem()),
        _ => None,
    }
}

fn index() -> Operation {
    let answer =
        Answer::new("Names and addresses.").json("Index", json!({ "metrics": "/metrics" }));
    Operation::new("getIndex", TAG, "What can be asked here").answers("200", answer)
}

fn jobs() -> Operation {
    let page = json!({ "jobs": [example("succeeded")], "next": null, "damaged": [] });
    Operation::new("listJobs", TAG, "Every job, newest first, in pages")
        .about("A parameter that is not listed is refused, as it would show too much.")
        .parameters(filter())
        .answers("200", Answer::new("A page.").json("Jobs", page))
        .fails(&[P::InvalidParameter, P::StorageDamaged, P::StoreUnavailable])
}

fn live() -> Operation {
    let live =
        Answer::new("The process runs and answers.").json("Live", json!({ "status": "live" }));
    Operation::new("getLive", TAG, "Whether the process is alive").answers("200", live)
}

fn ready() -> Operation {
    let ready = json!({ "status": "ready", "why": null, "in_flight": 3 });
    let draining = json!({ "status": "draining", "why": null, "in_flight": 3 });
    let not = "Send no new requests: it is about to stop, or its store takes no changes.";
    Operation::new("getReady", TAG, "Whether new requests are welcome")
        .answers("200", Answer::new("They are.").json("Ready", ready))
        .answers("503", Answer::new(not).json("Ready", draining))
}

fn metrics() -> Operation {
    let text = Answer::new("The metrics.").text("application/openmetrics-text");
    Operation::new("getMetrics", TAG, "Metrics for Prometheus").answers("200", text)
}

fn reload() -> Operation {
    let done = Answer::new("Loaded. What has changed.").json("Reloaded", example_reload());
    let refused = Answer::new("The config has mistakes, and nothing was changed.");
    Operation::new("reload", TAG, "Load the config again")
        .answers("200", done)
        .answers("422", refused)
        .fails(&[P::ConfigInvalid, P::RouteNotFound])
}

fn upstreams() -> Operation {
    let list = Answer::new("Every upstream with several or watched servers.");
    Operation::new(
        "listUpstreams",
        TAG,
        "Which servers may be used, and why not",
    )
    .answers("200", list.json("Upstreams", example_upstreams()))
}
