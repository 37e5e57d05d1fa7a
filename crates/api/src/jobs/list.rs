//! `GET /jobs` of the admin listener: all jobs, newest first, by status and route, in pages.

use http::{Response, StatusCode, Uri};
use raincheck_core::job::Status;
use raincheck_core::limits::LIST_PAGE;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::{Payload, answer};
use raincheck_runner::{Error, Runner, status};
use raincheck_store::Filter;
use serde_json::json;

use crate::query;

/// The parameters; any other is a mistake, as a filter that is not applied shows too much.
const KNOWN: [&str; 4] = ["status", "route", "before", "limit"];

/// Jobs in a page unless asked otherwise.
const PAGE: usize = 50;

/// A page of jobs. `next` is the cursor: give it as `before` for the page after this one.
pub(crate) async fn list(
    runner: &Runner,
    links: &status::Links,
    uri: &Uri,
) -> Result<Response<Payload>, Problem> {
    let filter = filter(uri)?;
    let page = runner
        .store()
        .list(filter)
        .await
        .map_err(|error| Error::from(error).problem())?;
    let progress = |job: &_| runner.progress(job).map(|(_, progress)| progress);
    let jobs: Vec<_> = page
        .jobs
        .iter()
        .map(|job| status::document(job, links, progress(job).as_ref(), None))
        .collect();
    let damaged: Vec<_> = page.damaged.iter().map(ToString::to_string).collect();
    let next = page.next.map(|id| id.to_string());
    let document = json!({ "jobs": jobs, "next": next, "damaged": damaged });
    Ok(answer::json(StatusCode::OK, &document))
}

fn filter(uri: &Uri) -> Result<Filter, Problem> {
    if let Some(name) = query::unknown(uri.query(), &KNOWN) {
        let known = KNOWN.join(", ");
        let detail = format!("there is no parameter '{name}'; there are {known}");
        return Err(Problem::new(ProblemCode::InvalidParameter, detail));
    }
    let value = |name| query::value(uri.query(), name);
    let bad = |detail: String| Problem::new(ProblemCode::InvalidParameter, detail);
    let status = match value("status") {
        None => None,
        Some(word) => Some(Status::from_word(&word).ok_or_else(|| {
            let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
            bad(format!(
                "status is one of {}, not '{word}'",
                known.join(", ")
            ))
        })?),
    };
    let route = match value("route") {
        None => None,
        Some(name) => Some(
            name.parse()
                .map_err(|error| bad(format!("route: {error}")))?,
        ),
    };
    let before = match value("before") {
        None => None,
        Some(id) => Some(
            id.parse()
                .map_err(|error| bad(format!("before: {error}")))?,
        ),
    };
    let limit = match value("limit").map(|text| text.parse::<usize>()) {
        None => PAGE,
        Some(Ok(limit @ 1..=LIST_PAGE)) => limit,
        Some(_) => return Err(bad(format!("limit is a number from 1 to {LIST_PAGE}"))),
    };
    Ok(Filter {
        status,
        route,
        before,
        limit,
    })
}
