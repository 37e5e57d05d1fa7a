//! The operations below `/_raincheck/`.

use raincheck_core::problem::ProblemCode as P;

use super::operation::{Answer, Operation};
use super::parameter::if_none_match;
use crate::paths::Reserved;

const TAG: &str = "about";

/// The operation of a method on a reserved path.
pub(super) fn operation(reserved: Reserved<'_>, method: &str) -> Option<Operation> {
    match (reserved, method) {
        (Reserved::OpenApi, "GET") => Some(openapi()),
        (Reserved::Client, "GET") => Some(client()),
        (Reserved::Events, "GET") => Some(events()),
        (Reserved::Problem(_), "GET") => Some(problem()),
        _ => None,
    }
}

/// A document of this kind.
pub(super) fn openapi() -> Operation {
    let answer =
        Answer::new("The document.").json("OpenApi", serde_json::json!({ "openapi": "3.1.1" }));
    asset(Operation::new("getOpenApi", TAG, "This document"), answer)
}

fn client() -> Operation {
    let about = "An ES module without dependencies: `fetch` that follows tickets.";
    let answer = Answer::new("The module.").text("text/javascript");
    let operation = Operation::new("getClient", TAG, "A client for browsers");
    asset(operation.about(about), answer)
}

/// A file that changes only with the binary.
fn asset(operation: Operation, answer: Answer) -> Operation {
    let tag = "Names these bytes.";
    operation
        .parameters([if_none_match()])
        .answers("200", answer.header("ETag", tag))
        .answers(
            "304",
            Answer::new("The same as before.").header("ETag", tag),
        )
}

/// The WebSocket for many jobs.
fn events() -> Operation {
    let about = "A WebSocket: `{\"subscribe\": [ids]}`, `unsubscribe` and `cancel` go in, `status`, \
                 `progress` and `error` events come out, as JSON in text.";
    Operation::new("openEvents", TAG, "How many jobs go, as it happens")
        .about(about)
        .answers("101", Answer::new("What follows is WebSocket frames."))
        .fails(&[P::UpgradeRequired, P::AccessDenied])
}

/// The page of a problem code.
pub(super) fn problem() -> Operation {
    Operation::new(
        "getProblemPage",
        TAG,
        "What a problem code means, and what to do",
    )
    .answers("200", Answer::new("The page.").text("text/markdown"))
    .fails(&[P::RouteNotFound])
}
