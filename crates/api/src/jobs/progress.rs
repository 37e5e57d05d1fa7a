//! `PUT {jobs}/{id}/progress/{token}`: the backend says how far an attempt is.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Limited};
use raincheck_core::id::JobId;
use raincheck_core::limits::{
    PROGRESS_BYTES, PROGRESS_DATA_BYTES, PROGRESS_MESSAGE_CHARS, PROGRESS_TIMEOUT,
};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::Payload;
use raincheck_runner::Runner;
use raincheck_runner::progress::{Progress, Untold};
use serde_json::{Map, Value};

use crate::BoxError;
use crate::paths::NO_ATTEMPT;

/// Takes a report.
pub(crate) async fn put<B>(
    runner: &Runner,
    id: JobId,
    token: (u32, u64),
    body: B,
) -> Result<Response<Payload>, Problem>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    if token.0 == NO_ATTEMPT {
        return Err(invalid(
            "the end of this URL is not one of Raincheck-Progress; use that field's value as it is",
        ));
    }
    let progress = parse(&read(body).await?).map_err(invalid)?;
    match runner.report(id, token, progress).await {
        Ok(()) => Ok(crate::empty(StatusCode::NO_CONTENT)),
        Err(error) => Err(problem(&error).about(id)),
    }
}

async fn read<B: Body<Data = Bytes, Error: Into<BoxError>>>(body: B) -> Result<Bytes, Problem> {
    let body = Limited::new(Box::pin(body), PROGRESS_BYTES);
    match tokio::time::timeout(PROGRESS_TIMEOUT, body.collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(Problem::new(
            ProblemCode::RequestTooLarge,
            format!("a progress report has at most {PROGRESS_BYTES} bytes"),
        )),
        Ok(Err(_)) => Err(invalid("the body of the report broke off")),
        Err(_) => Err(invalid("the body of the report did not come in time")),
    }
}

fn invalid(detail: impl AsRef<str>) -> Problem {
    Problem::new(ProblemCode::InvalidParameter, detail)
}

fn problem(error: &Untold) -> Problem {
    let code = match error {
        Untold::Over => ProblemCode::JobStateConflict,
        Untold::Store(error) => return error.problem(),
    };
    Problem::new(code, error.to_string())
}

/// A report: `percent`, `message` and `data`, each optional, nothing else.
fn parse(bytes: &[u8]) -> Result<Progress, String> {
    let example = r#"a report is JSON such as {"percent": 40, "message": "page 4 of 10"}"#;
    let value = serde_json::from_slice(bytes).map_err(|error| format!("{example}: {error}"))?;
    let Value::Object(mut fields) = value else {
        return Err(example.to_owned());
    };
    let progress = Progress {
        percent: percent(&mut fields)?,
        message: message(&mut fields)?,
        data: data(&mut fields)?,
    };
    match fields.keys().next() {
        Some(name) => Err(format!(
            "there is no '{name}' in a report; put it into 'data'"
        )),
        None => Ok(progress),
    }
}

fn percent(fields: &mut Map<String, Value>) -> Result<Option<serde_json::Number>, String> {
    match fields.remove("percent") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number))
            if number.as_f64().is_some_and(|n| (0.0..=100.0).contains(&n)) =>
        {
            Ok(Some(number))
        }
        Some(other) => Err(format!("percent is a number from 0 to 100, not {other}")),
    }
}

fn message(fields: &mut Map<String, Value>) -> Result<Option<String>, String> {
    match fields.remove("message") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= PROGRESS_MESSAGE_CHARS => {
            Ok(Some(text))
        }
        Some(_) => Err(format!(
            "message is text of at most {PROGRESS_MESSAGE_CHARS} characters"
        )),
    }
}

fn data(fields: &mut Map<String, Value>) -> Result<Option<Value>, String> {
    match fields.remove("data") {
        None | Some(Value::Null) => Ok(None),
        Some(data) if data.to_string().len() <= PROGRESS_DATA_BYTES => Ok(Some(data)),
        Some(_) => Err(format!(
            "data has at most {PROGRESS_DATA_BYTES} bytes as JSON"
        )),
    }
}

#[cfg(test)]
mod tests {
    //! What is a report and what is none.

    use super::parse;

    #[test]
    fn reports_are_taken_as_they_are() {
        let progress = parse(br#"{"percent": 12.5, "message": "x", "data": [1]}"#).unwrap();
        assert_eq!(progress.percent.unwrap().as_f64(), Some(12.5));
        assert_eq!(progress.message.as_deref(), Some("x"));
        assert_eq!(progress.data.unwrap()[0], 1);
        assert_eq!(parse(b"{}").unwrap(), Default::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(501));
        let large = format!(r#"{{"data": "{}"}}"#, "x".repeat(4096));
        for (text, word) in [
            ("", "JSON"),
            ("[]", "JSON"),
            (r#"{"percent": 101}"#, "from 0 to 100"),
            (r#"{"percent": -1}"#, "from 0 to 100"),
            (r#"{"percent": "40"}"#, "from 0 to 100"),
            (r#"{"message": 1}"#, "500 characters"),
            (&long, "500 characters"),
            (&large, "4096 bytes"),
            (r#"{"state": 1}"#, "'state'"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
