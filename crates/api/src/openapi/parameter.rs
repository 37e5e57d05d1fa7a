//! What a request may say in its path, its query and its fields.

use raincheck_core::job::Status;
use raincheck_core::limits::LIST_PAGE;
use serde_json::{Value, json};

/// The id in every example.
pub(super) const ID: &str = "01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10";

/// What a job id looks like.
pub(super) const ID_PATTERN: &str =
    "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$";

/// The parameter of this name in a path; none: there is no such name.
pub(super) fn in_path(name: &str) -> Option<Value> {
    let (about, schema) = match name {
        "id" => (
            "The job's id, from `Raincheck-Job-Id`, `Location` or a status document.",
            json!({ "type": "string", "pattern": ID_PATTERN, "example": ID }),
        ),
        "report" => (
            "The attempt and its token, as in the URL that the backend was given.",
            json!({
                "type": "string",
                "pattern": "^[1-9][0-9]{0,8}-[0-9a-f]{16}$",
                "example": "1-9f3c7a0b5d2e4816",
            }),
        ),
        "delivery" => (
            "The number of the delivery.",
            json!({ "type": "integer", "minimum": 1, "maximum": 99_999, "example": 1 }),
        ),
        "page" => (
            "The page's name, as at the end of the `type` of a problem document.",
            json!({ "type": "string", "pattern": "^RC[0-9]{4}$", "example": "RC0012" }),
        ),
        _ => return None,
    };
    Some(json!({
        "name": name, "in": "path", "required": true, "description": about, "schema": schema,
    }))
}

fn query(name: &str, about: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "query", "description": about, "schema": schema })
}

fn field(name: &str, about: &str, example: &str) -> Value {
    let schema = json!({ "type": "string", "example": example });
    json!({ "name": name, "in": "header", "description": about, "schema": schema })
}

/// How long the answer may be held.
pub(super) fn wait() -> [Value; 2] {
    let seconds = json!({ "type": "integer", "minimum": 0, "example": 20 });
    [
        query(
            "wait",
            "Hold the answer for up to this many seconds.",
            seconds,
        ),
        field("Prefer", "`wait=N` does the same (RFC 7240).", "wait=20"),
    ]
}

/// Which redirect of a chain it is.
pub(super) fn hop() -> Value {
    let about = "Counts redirects. Follow `Location` as it is instead of making one up.";
    let schema = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    query("hop", about, schema)
}

/// The response while it is still produced.
pub(super) fn follow() -> Value {
    let about = "Present: the response while it is still produced. Its value is not looked at.";
    let mut follow = query("follow", about, json!({ "type": "string" }));
    follow["allowEmptyValue"] = true.into();
    follow
}

/// Parts of a result.
pub(super) fn range() -> [Value; 2] {
    [
        field(
            "Range",
            "One range of bytes; anything else is answered with the whole.",
            "bytes=0-99",
        ),
        field(
            "If-Range",
            "The tag without which the whole is wanted.",
            "\"a-tag\"",
        ),
    ]
}

/// The tag of what is known.
pub(super) fn if_none_match() -> Value {
    let about = "The tag of what is known already. With a wait: hold until there is anything new, \
                 progress included.";
    field("If-None-Match", about, "\"2.1\"")
}

/// The tag of what must not have changed.
pub(super) fn if_match() -> Value {
    let about = "The tag of the result that is meant; another one is answered with 412.";
    field("If-Match", about, "\"a-tag\"")
}

/// Where a stream of events continues.
pub(super) fn last_event_id() -> Value {
    let about = "The id of the last event that was seen; the stream continues behind it.";
    field("Last-Event-ID", about, "1.3")
}

/// What jobs are listed.
pub(super) fn filter() -> [Value; 4] {
    let words: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": LIST_PAGE, "default": 50 });
    [
        query(
            "status",
            "Only jobs in this state.",
            json!({ "type": "string", "enum": words }),
        ),
        query(
            "route",
            "Only jobs of this route.",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$" }),
        ),
        query(
            "before",
            "Only jobs older than this one: `next` of the page before.",
            json!({ "type": "string", "pattern": ID_PATTERN }),
        ),
        query("limit", "Jobs in a page.", limit),
    ]
}
