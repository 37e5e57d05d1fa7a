//! The shapes of documents.

use raincheck_core::callback::TryError;
use raincheck_core::job::Status;
use raincheck_core::limits::{
    DETAIL_BYTES, PROGRESS_DATA_BYTES, PROGRESS_MESSAGE_CHARS, RESULT_INLINE_BYTES,
};
use raincheck_core::problem::ProblemCode;
use serde_json::{Map, Value, json};

use super::operation::reference;
use super::parameter::{ID, ID_PATTERN};

/// All of them, by name.
pub(super) fn all() -> Value {
    json!({
        "Job": job(),
        "Event": event(),
        "Progress": progress(),
        "Report": report(),
        "Deliveries": deliveries(),
        "Problem": problem(),
        "Finding": finding(),
        "Jobs": jobs(),
        "Index": { "type": "object", "description": "Names and addresses." },
        "Live": object(json!({ "status": { "const": "live" } })),
        "Ready": ready(),
        "Reloaded": reloaded(),
        "Upstreams": upstreams(),
        "OpenApi": { "type": "object", "required": ["openapi"] },
    })
}

/// The groups that a document's operations are in.
pub(super) fn tags(paths: &Map<String, Value>) -> Value {
    let known = [
        ("jobs", "A job, and how its response is got."),
        ("operators", "The state of the gateway."),
        ("about", "What raincheck says of itself."),
    ];
    let used = |tag: &str| {
        let operations = paths.values().filter_map(Value::as_object);
        operations
            .flat_map(Map::values)
            .any(|operation| operation["tags"][0] == tag)
    };
    known
        .iter()
        .filter(|(tag, _)| used(tag))
        .map(|(tag, about)| json!({ "name": tag, "description": about }))
        .collect()
}

/// An object that has each of these.
fn object(properties: Value) -> Value {
    let names: Vec<_> = properties
        .as_object()
        .into_iter()
        .flat_map(Map::keys)
        .collect();
    json!({ "type": "object", "required": names, "properties": properties })
}

/// The same or null.
fn or_null(mut schema: Value) -> Value {
    let kind = schema["type"].take();
    schema["type"] = json!([kind, "null"]);
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.push(Value::Null);
    }
    schema
}

fn count(about: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": about })
}

fn text(about: &str) -> Value {
    json!({ "type": "string", "description": about })
}

fn time(about: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": about })
}

fn words(about: &str, words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words, "description": about })
}

fn codes() -> Vec<&'static str> {
    ProblemCode::ALL.iter().map(|code| code.slug()).collect()
}

fn job() -> Value {
    let states: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    let response = object(json!({
        "status": { "type": "integer", "minimum": 200, "maximum": 999 },
        "content_type": { "type": ["string", "null"] },
        "content_length": count("Bytes of the body."),
    }));
    let error = object(json!({
        "code": words("Which of the closed set of problems it is.", &codes()),
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "title": text("What happened, the same words each time."),
        "detail": text("What happened here."),
        "type": text("The address of a page about it."),
    }));
    let mut links = object(json!({
        "self": text("The job."),
        "result": text("The response."),
        "events": text("How it goes."),
    }));
    links["properties"]["deliveries"] = text("How its end is told, where it named a callback URL.");
    let mut job = object(json!({
        "job_id": { "type": "string", "pattern": ID_PATTERN },
        "status": words("Unfinished: queued, processing. Finished: the others.", &states),
        "route": text("The route's name."),
        "attempt": count("Which attempt runs, or ran last; 0 before the first."),
        "attempts_max": count("How many there may be."),
        "executions": count("How many times the backend may have seen the request."),
        "progress": { "oneOf": [{ "type": "null" }, reference("Progress")] },
        "created_at": time("When it was accepted."),
        "started_at": or_null(time("When the attempt began.")),
        "finished_at": or_null(time("When it ended.")),
        "expires_at": or_null(time("When it is forgotten.")),
        "response": or_null(response),
        "result": {
            "description": format!(
                "The body of the response, where it is JSON of at most {RESULT_INLINE_BYTES} bytes."
            ),
        },
        "error": or_null(error),
        "links": links,
    }));
    job["description"] = "How a job stands: the ticket, the status, in lists and in events.".into();
    job
}

fn progress() -> Value {
    object(json!({
        "percent": { "type": ["number", "null"], "minimum": 0, "maximum": 100 },
        "message": { "type": ["string", "null"], "maxLength": PROGRESS_MESSAGE_CHARS },
        "data": { "description": "Whatever the backend reports beside these." },
    }))
}

fn event() -> Value {
    object(json!({
        "id": text("How the job stands: for `Last-Event-ID`."),
        "event": words("What `data` is: a `Job` or a `Progress`.", &["status", "progress"]),
        "data": text("The document, as JSON on one line."),
    }))
}

fn report() -> Value {
    let mut report = progress();
    report["properties"]["data"] = json!({
        "description": format!("At most {PROGRESS_DATA_BYTES} bytes as JSON."),
    });
    report["required"] = json!([]);
    report["additionalProperties"] = false.into();
    report
}

fn problem() -> Value {
    let mut problem = object(json!({
        "type": text("The address of a page about it, on this listener."),
        "title": text("What happened, the same words each time."),
        "status": { "type": "integer", "minimum": 400, "maximum": 599 },
        "detail": { "type": "string", "maxLength": DETAIL_BYTES },
        "code": words("Which of the closed set of problems it is. Stable.", &codes()),
        "message": text("What clients of API Gateway look for."),
        "retryable": {
            "type": "boolean",
            "description": "Whether the same request may do better later.",
        },
    }));
    problem["description"] = "A problem document (RFC 9457).".into();
    problem["properties"]["instance"] = text("The job it is about.");
    let findings = json!({ "type": "array", "items": reference("Finding") });
    problem["properties"]["findings"] = findings;
    problem
}

fn finding() -> Value {
    let mut finding = object(json!({
        "severity": words("Whether it keeps the config from being used.", &["error", "warning"]),
        "code": text("What kind it is. Stable."),
        "message": text("What is wrong."),
    }));
    for name in ["key", "expected", "nearest", "help"] {
        finding["properties"][name] = json!({ "type": ["string", "null"] });
    }
    finding["properties"]["place"] = json!({ "type": ["object", "null"] });
    finding
}

fn jobs() -> Value {
    object(json!({
        "jobs": { "type": "array", "items": reference("Job") },
        "next": or_null(text("Give it as `before` for the page after this one; null: the last.")),
        "damaged": {
            "type": "array",
            "items": { "type": "string", "pattern": ID_PATTERN },
            "description": "Jobs whose record cannot be read.",
        },
    }))
}

fn ready() -> Value {
    const STATES: [&str; 4] = ["ready", "full", "draining", "failed"];
    object(json!({
        "status": words("Whether new requests are welcome; `full`: only relays are.", &STATES),
        "why": or_null(text("What is wrong with the store.")),
        "in_flight": count("Attempts that run."),
    }))
}

fn reloaded() -> Value {
    let names =
        |about| json!({ "type": "array", "items": { "type": "string" }, "description": about });
    let routes = object(json!({
        "added": names("New routes."),
        "removed": names("Routes that are gone."),
        "changed": names("Routes that say something else now."),
    }));
    let listeners = object(json!({
        "added": names("New listeners, as the config calls them."),
        "removed": names("Listeners that are gone; their connections go on to their end."),
        "changed": names("Listeners of which the config says something else now."),
    }));
    object(json!({
        "reloaded": { "const": true },
        "routes": routes,
        "listeners": listeners,
        "certificates": object(json!({ "not_loaded": names("Files that were bad.") })),
        "restart": names("Keys whose change needs a restart."),
        "warnings": { "type": "array", "items": reference("Finding") },
    }))
}

fn upstreams() -> Value {
    let server = object(json!({
        "server": text("Its address."),
        "usable": { "type": "boolean" },
        "why": { "enum": ["unhealthy", "ejected", null], "description": "Why it may not be used." },
        "ejected_for_seconds": { "type": ["number", "null"] },
        "last_check_failed": or_null(text("What its last failed check said.")),
        "weight": count("Its share."),
        "in_flight": count("Requests that it works on."),
        "ejections": count("How often it was taken out."),
    }));
    let upstream = object(json!({
        "name": text("The name in the config."),
        "usable": count("Servers that may be used."),
        "servers": { "type": "array", "items": server },
    }));
    object(json!({ "upstreams": { "type": "array", "items": upstream } }))
}

/// A job in this state.
pub(super) fn example(status: &str) -> Value {
    let finished = !matches!(status, "queued" | "processing");
    let begun = status != "queued";
    let answered = status == "succeeded";
    let url = format!("/jobs/{ID}");
    json!({
        "job_id": ID,
        "status": status,
        "route": "render",
        "attempt": u8::from(begun),
        "attempts_max": 3,
        "executions": u8::from(begun),
        "progress": (status == "processing").then(|| json!({
            "percent": 40, "message": "page 4 of 10", "data": null
        })),
        "created_at": "2026-11-23T08:03:12.123Z",
        "started_at": begun.then_some("2026-11-23T08:03:12.125Z"),
        "finished_at": finished.then_some("2026-11-23T08:04:22.480Z"),
        "expires_at": finished.then_some("2026-11-24T08:04:22.480Z"),
        "response": answered.then(|| json!({
            "status": 200, "content_type": "application/json", "content_length": 12
        })),
        "result": answered.then(|| json!({ "pages": 10 })),
        "error": null,
        "links": {
            "self": url, "result": format!("{url}/result"), "events": format!("{url}/events"),
        },
    })
}

/// What a reload has changed.
pub(super) fn example_reload() -> Value {
    json!({
        "reloaded": true,
        "routes": { "added": ["exports"], "removed": [], "changed": ["render"] },
        "listeners": { "added": ["0.0.0.0:8443"], "removed": [], "changed": [] },
        "certificates": { "not_loaded": [] },
        "restart": ["store.path"],
        "warnings": [],
    })
}

/// One upstream of two servers.
pub(super) fn example_upstreams() -> Value {
    let server = |address: &str, why: Option<&str>| {
        json!({
            "server": address, "usable": why.is_none(), "why": why, "ejected_for_seconds": null,
            "last_check_failed": why.map(|_| "answered 503"), "weight": 1, "in_flight": 2,
            "ejections": 0,
        })
    };
    let servers = [
        server("10.0.0.1:9000", None),
        server("10.0.0.2:9000", Some("unhealthy")),
    ];
    json!({ "upstreams": [{ "name": "app", "usable": 1, "servers": servers }] })
}

fn deliveries() -> Value {
    let status = ["pending", "delivered", "failed", "gone", "withdrawn"];
    let states: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    let errors: Vec<_> = TryError::ALL.iter().map(|error| error.as_str()).collect();
    let tried = object(json!({
        "at": time("When it began."),
        "took_ms": count("How long it took."),
        "http_status": { "type": ["integer", "null"], "description": "What the receiver answered." },
        "error": or_null(words("Why there was no answer.", &errors)),
        "detail": or_null(text("The same for a person.")),
    }));
    let delivery = object(json!({
        "number": count("Which end of the job it tells of."),
        "webhook_id": text("The `webhook-id` of every try."),
        "status": words("How it stands.", &status),
        "job_status": words("How the job had ended.", &states),
        "created_at": time("When the job ended."),
        "next_try_at": or_null(time("When it is tried next.")),
        "tries_made": count("Tries since it began, or was asked for again."),
        "tries": { "type": "array", "items": tried },
        "links": object(json!({ "redeliver": text("Where a POST sends it again.") })),
    }));
    object(json!({
        "job_id": { "type": "string", "pattern": ID_PATTERN },
        "url": or_null(text("What is called, without its query.")),
        "deliveries": { "type": "array", "items": delivery },
    }))
}

/// Deliveries of a job, as an example.
pub(super) fn example_deliveries() -> Value {
    json!({
        "job_id": ID,
        "url": "https://hooks.example.com/raincheck",
        "deliveries": [{
            "number": 1,
            "webhook_id": format!("whk_{}_1", ID.replace('-', "")),
            "status": "pending",
            "job_status": "succeeded",
            "created_at": "2026-11-23T08:03:52.310Z",
            "next_try_at": "2026-11-23T08:03:57.912Z",
            "tries_made": 1,
            "tries": [{
                "at": "2026-11-23T08:03:52.311Z",
                "took_ms": 41,
                "http_status": 503,
                "error": null,
                "detail": null,
            }],
            "links": { "redeliver": format!("/jobs/{ID}/deliveries/1/redeliver") },
        }],
    })
}
