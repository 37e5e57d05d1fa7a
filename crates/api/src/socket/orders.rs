//! What a client says on a socket: `{"subscribe": […], "unsubscribe": […], "cancel": […]}`, any of
//! them. Pure.

use raincheck_core::id::JobId;
use raincheck_core::limits::SOCKET_MESSAGE_BYTES;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_runner::news::Position;
use serde_json::Value;

/// What to do, in the order in which it is done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Order {
    /// Tell of this job, what is new after a position that was seen.
    Subscribe(JobId, Option<Position>),
    /// Tell nothing more of it.
    Unsubscribe(JobId),
    /// Cancel it.
    Cancel(JobId),
    /// Say what was wrong, and with which job.
    Refuse(Problem, Option<String>),
}

/// The orders of one message.
pub(super) fn read(text: &str) -> Vec<Order> {
    match orders(text) {
        Ok(orders) => orders,
        Err(detail) => vec![Order::Refuse(wrong(&detail), None)],
    }
}

/// A message that was too large has been cut.
pub(super) fn too_large() -> Order {
    let detail = format!("a message has at most {SOCKET_MESSAGE_BYTES} bytes");
    Order::Refuse(Problem::new(ProblemCode::RequestTooLarge, detail), None)
}

/// A message that is not text.
pub(super) fn binary() -> Order {
    Order::Refuse(wrong("a message is JSON as text, not binary"), None)
}

fn wrong(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidParameter, detail)
}

fn orders(text: &str) -> Result<Vec<Order>, String> {
    let shape = "a message is a JSON object with \"subscribe\", \"unsubscribe\" or \"cancel\"";
    let value: Value = serde_json::from_str(text).map_err(|error| format!("{shape}; {error}"))?;
    let Value::Object(fields) = value else {
        return Err(shape.to_owned());
    };
    if fields.is_empty() {
        return Err(shape.to_owned());
    }
    if let Some(unknown) = fields.keys().find(|name| !ORDERS.contains(&name.as_str())) {
        let unknown: String = unknown.chars().take(40).collect();
        return Err(format!("{shape}, not {unknown:?}"));
    }
    let mut orders = Vec::new();
    for name in ORDERS {
        match fields.get(name) {
            None => {}
            Some(Value::Array(items)) => orders.extend(items.iter().map(|item| order(name, item))),
            Some(_) => return Err(format!("\"{name}\" is a list of job ids")),
        }
    }
    Ok(orders)
}

/// In the order in which they are carried out.
const ORDERS: [&str; 3] = ["unsubscribe", "subscribe", "cancel"];

/// `"{id}"`, or to subscribe also `{"job_id": "{id}", "after": "3.0"}`.
fn order(name: &str, item: &Value) -> Order {
    let (id, after) = match item {
        Value::String(id) => (Some(id.as_str()), None),
        Value::Object(fields) if name == "subscribe" => {
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            (text("job_id"), text("after"))
        }
        _ => (None, None),
    };
    let shown = || Some(id?.chars().take(64).collect());
    let Some(job) = id.and_then(|id| id.parse::<JobId>().ok()) else {
        return Order::Refuse(wrong(&format!("\"{name}\" takes job ids")), shown());
    };
    match name {
        "unsubscribe" => Order::Unsubscribe(job),
        "cancel" => Order::Cancel(job),
        // A position that cannot be read is none, and all is told anew, as with Last-Event-ID.
        _ => Order::Subscribe(job, after.and_then(|after| after.parse().ok())),
    }
}

#[cfg(test)]
mod tests {
    //! What is understood, and what is not.

    use super::{Order, read};

    const A: &str = "01997f6c-0000-7000-8000-00000000000a";
    const B: &str = "01997f6c-0000-7000-8000-00000000000b";

    fn shown(text: &str) -> Vec<String> {
        let show = |order| match order {
            Order::Subscribe(id, None) => format!("+{id}"),
            Order::Subscribe(id, Some(after)) => format!("+{id} after {after}"),
            Order::Unsubscribe(id) => format!("-{id}"),
            Order::Cancel(id) => format!("!{id}"),
            Order::Refuse(problem, job) => format!("{} {job:?}", problem.detail),
        };
        read(text).into_iter().map(show).collect()
    }

    #[test]
    fn orders_are_carried_out_in_an_order_of_their_own() {
        let text =
            format!(r#"{{"cancel":["{A}"],"subscribe":["{A}","{B}"],"unsubscribe":["{B}"]}}"#);
        assert_eq!(
            shown(&text),
            [
                format!("-{B}"),
                format!("+{A}"),
                format!("+{B}"),
                format!("!{A}")
            ]
        );
        let after = format!(r#"{{"subscribe":[{{"job_id":"{A}","after":"3.1"}}]}}"#);
        assert_eq!(shown(&after), [format!("+{A} after 3.1")]);
        let strange = format!(r#"{{"subscribe":[{{"job_id":"{A}","after":"what?"}}]}}"#);
        assert_eq!(shown(&strange), [format!("+{A}")]);
        assert_eq!(shown(r#"{"subscribe":[]}"#), [""; 0]);
    }

    #[test]
    fn what_is_wrong_is_said_and_the_rest_is_done() {
        for text in [
            "",
            "{",
            "[]",
            "17",
            "{}",
            "\"subscribe\"",
            r#"{"subscrib":[]}"#,
            r#"{"cancel":7}"#,
        ] {
            let shown = shown(text);
            assert!(
                shown.len() == 1 && shown[0].ends_with("None"),
                "{text}: {shown:?}"
            );
        }
        let mixed = format!(r#"{{"subscribe":["what?",7,{{"after":"1.0"}},"{A}"]}}"#);
        assert_eq!(
            shown(&mixed),
            [
                "\"subscribe\" takes job ids Some(\"what?\")".to_owned(),
                "\"subscribe\" takes job ids None".to_owned(),
                "\"subscribe\" takes job ids None".to_owned(),
                format!("+{A}"),
            ]
        );
        let deep = "[".repeat(100_000);
        assert_eq!(shown(&deep).len(), 1);
    }
}
