//! `POST /reload`: the operator's way to have the config loaded again, and to read what came of it.

use std::future::Future;
use std::pin::Pin;

use http::{Response, StatusCode};
use raincheck_core::problem::{MEDIA_TYPE, Problem, ProblemCode};
use raincheck_exchange::{Payload, answer};
use raincheck_runner::Runner;
use serde_json::Value;

use crate::respond;

/// Loads the config again.
pub trait Reload: Send + Sync + 'static {
    /// All of it, or nothing where anything at all is wrong. Not cancel safe: what was begun is
    /// carried out also for a caller who goes.
    fn reload<'a>(
        &'a self,
        runner: &'a Runner,
    ) -> Pin<Box<dyn Future<Output = Result<Value, Refused>> + Send + 'a>>;
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// In words.
    pub why: String,
    /// Every mistake of the config, as `check --json` lists them.
    pub findings: Value,
}

/// Answers the request.
pub(crate) async fn reload(
    reload: &dyn Reload,
    runner: &Runner,
) -> Result<Response<Payload>, Problem> {
    match reload.reload(runner).await {
        Ok(changes) => Ok(answer::json(StatusCode::OK, &changes)),
        Err(refused) => refusal(refused),
    }
}

/// A problem with the mistakes in it.
fn refusal(refused: Refused) -> Result<Response<Payload>, Problem> {
    let problem = Problem::new(ProblemCode::ConfigInvalid, refused.why);
    let mut document = problem.to_value();
    if let Some(members) = document.as_object_mut() {
        members.insert("findings".into(), refused.findings);
    }
    let status = StatusCode::from_u16(problem.code.status()).unwrap_or_default();
    let mut response = answer::json(status, &document);
    respond::set(&mut response, http::header::CONTENT_TYPE, MEDIA_TYPE);
    respond::set(
        &mut response,
        http::HeaderName::from_static("raincheck-error"),
        "gateway",
    );
    Ok(response)
}
