//! A status document in words.

use serde_json::Value;

use crate::output::{Table, printable};

/// A member that is text; empty if it is not there.
pub fn word<'a>(document: &'a Value, name: &str) -> &'a str {
    document
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A time without its fraction.
pub(super) fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

/// `1/3`: the latest attempt, and how many there may be.
pub(super) fn attempts(job: &Value) -> String {
    let number = |name: &str| job.get(name).and_then(Value::as_u64).unwrap_or_default();
    format!("{}/{}", number("attempt"), number("attempts_max"))
}

/// What came of it: the answer's status, or why there is none.
pub(super) fn outcome(job: &Value) -> String {
    let error = job
        .get("error")
        .map(|error| word(error, "code"))
        .unwrap_or_default();
    match (answer(job), error) {
        (None, "") => "-".to_owned(),
        (None, error) => error.to_owned(),
        (Some(answer), "") => answer,
        (Some(answer), error) => format!("{error}: {answer}"),
    }
}

fn answer(job: &Value) -> Option<String> {
    let response = job.get("response").filter(|response| !response.is_null())?;
    let number = |name: &str| {
        response
            .get(name)
            .and_then(Value::as_u64)
            .unwrap_or_default()
    };
    let kind = word(response, "content_type");
    let kind = if kind.is_empty() {
        String::new()
    } else {
        format!(" {kind}")
    };
    Some(format!(
        "{}{kind} {} bytes",
        number("status"),
        number("content_length")
    ))
}

/// Why a job has no answer, as a sentence.
pub fn summary(job: &Value) -> Option<String> {
    let error = job.get("error").filter(|error| !error.is_null())?;
    let (title, detail) = (word(error, "title"), word(error, "detail"));
    let separator = if detail.is_empty() { "" } else { ": " };
    Some(printable(&format!(
        "{title}{separator}{detail} ({})",
        word(error, "code")
    )))
}

/// How its caller is told of an end: `1 pending after 2 tries (503), next at …`.
fn delivered(delivery: &Value) -> String {
    let number = |name: &str| delivery[name].as_u64().unwrap_or_default();
    let last = delivery["tries"].as_array().and_then(|tries| tries.last());
    let came = last.map_or(String::new(), |last| match last["http_status"].as_u64() {
        Some(status) => format!(" ({status})"),
        None => format!(" ({})", word(last, "error")),
    });
    let next = match word(delivery, "next_try_at") {
        "" => String::new(),
        at => format!(", next at {at}"),
    };
    let (tries, status) = (number("tries_made"), word(delivery, "status"));
    let tries = counted(tries, "try", "tries");
    let text = format!("{} {status} after {tries}{came}{next}", number("number"));
    printable(&text)
}

/// A number of things, with the word for one or for several.
fn counted(number: u64, one: &str, several: &str) -> String {
    let word = if number == 1 { one } else { several };
    format!("{number} {word}")
}

/// How often the backend may have seen the request.
fn seen(executions: u64) -> String {
    match executions {
        0 => "has not seen it".to_owned(),
        1 => "may have seen it once".to_owned(),
        several => format!("may have seen it {several} times"),
    }
}

/// Everything about a job.
pub(super) fn described(job: &Value) -> Table {
    let mut table = Table::bare();
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            table.row(vec![name.to_owned(), value]);
        }
    };
    row("job", word(job, "job_id").to_owned());
    row("status", word(job, "status").to_owned());
    row("route", word(job, "route").to_owned());
    let executions = job
        .get("executions")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    row(
        "attempt",
        format!("{} (the backend {})", attempts(job), seen(executions)),
    );
    row("created", word(job, "created_at").to_owned());
    row("started", word(job, "started_at").to_owned());
    row("finished", word(job, "finished_at").to_owned());
    row("kept until", word(job, "expires_at").to_owned());
    row("answer", answer(job).unwrap_or_default());
    row("error", summary(job).unwrap_or_default());
    if let Some(links) = job.get("links") {
        row("result", word(links, "result").to_owned());
    }
    for delivery in job["deliveries"].as_array().into_iter().flatten() {
        row("webhook", delivered(delivery));
    }
    table
}

#[cfg(test)]
mod tests {
    //! A job in words.

    use serde_json::json;

    use super::*;

    #[test]
    fn a_failed_job() {
        let job = json!({
            "job_id": "J", "status": "failed", "route": "render", "attempt": 3, "attempts_max": 3,
            "executions": 2, "created_at": "2026-11-23T08:03:12.123Z", "started_at": null,
            "response": {"status": 503, "content_type": "text/plain", "content_length": 9},
            "error": {"code": "upstream-broken", "title": "It broke", "detail": "reset\u{1b}[31m"},
        });
        assert_eq!(outcome(&job), "upstream-broken: 503 text/plain 9 bytes");
        assert_eq!(seconds(word(&job, "created_at")), "2026-11-23T08:03:12Z");
        assert_eq!(
            summary(&job).unwrap(),
            "It broke: reset\u{fffd}[31m (upstream-broken)"
        );
        let text = described(&job).to_string();
        assert!(
            text.contains("attempt  3/3 (the backend may have seen it 2 times)"),
            "{text}"
        );
        assert!(!text.contains("started"), "{text}");
    }

    #[test]
    fn how_often_the_backend_may_have_seen_it() {
        let told = |executions| {
            let job = json!({ "attempt": 1, "attempts_max": 1, "executions": executions });
            described(&job).to_string()
        };
        for (executions, seen) in [
            (0, "1/1 (the backend has not seen it)"),
            (1, "1/1 (the backend may have seen it once)"),
            (2, "1/1 (the backend may have seen it 2 times)"),
        ] {
            let text = told(executions);
            assert!(text.contains(seen), "{text}");
        }
    }

    #[test]
    fn a_job_whose_caller_is_to_be_told() {
        let job = json!({ "deliveries": [
            { "number": 1, "status": "failed", "tries_made": 10, "tries": [{ "error": "timeout" }] },
            {
                "number": 2, "status": "pending", "tries_made": 1,
                "tries": [{ "http_status": 503 }], "next_try_at": "2026-11-23T08:03:12.123Z",
            },
        ]});
        let text = described(&job).to_string();
        let failed = "webhook  1 failed after 10 tries (timeout)\n";
        assert!(text.contains(failed), "{text}");
        let pending = "2 pending after 1 try (503), next at 2026-11-23T08:03:12.123Z";
        assert!(text.contains(pending), "{text}");
    }
}
