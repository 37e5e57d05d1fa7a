//! A page for each problem code, compiled in from docs/problems.

use http::{Response, header};
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_exchange::Payload;

use crate::respond;

/// The page of a code, as Markdown.
pub(crate) fn page(name: &str) -> Result<Response<Payload>, Problem> {
    let code = ProblemCode::ALL
        .into_iter()
        .find(|code| code.page() == name);
    let Some(code) = code else {
        let detail = format!("there is no page '{name}'; pages are RC0001 and so on");
        return Err(Problem::new(ProblemCode::RouteNotFound, detail));
    };
    let mut response = Response::new(Payload::Full(text(code).into()));
    respond::set(
        &mut response,
        header::CONTENT_TYPE,
        "text/markdown; charset=utf-8",
    );
    respond::set(&mut response, header::CACHE_CONTROL, "max-age=3600");
    Ok(response)
}

fn text(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::RouteNotFound => include_str!("../../../docs/problems/RC0001.md"),
        ProblemCode::MalformedRequest => include_str!("../../../docs/problems/RC0002.md"),
        ProblemCode::RequestTooLarge => include_str!("../../../docs/problems/RC0003.md"),
        ProblemCode::RequestTimeout => include_str!("../../../docs/problems/RC0004.md"),
        ProblemCode::UpstreamUnreachable => include_str!("../../../docs/problems/RC0005.md"),
        ProblemCode::UpstreamBroken => include_str!("../../../docs/problems/RC0006.md"),
        ProblemCode::UpstreamTimeout => include_str!("../../../docs/problems/RC0007.md"),
        ProblemCode::ResponseTooLarge => include_str!("../../../docs/problems/RC0008.md"),
        ProblemCode::QueueFull => include_str!("../../../docs/problems/RC0009.md"),
        ProblemCode::Draining => include_str!("../../../docs/problems/RC0010.md"),
        ProblemCode::StoreUnavailable => include_str!("../../../docs/problems/RC0011.md"),
        ProblemCode::JobNotFound => include_str!("../../../docs/problems/RC0012.md"),
        ProblemCode::JobCancelled => include_str!("../../../docs/problems/RC0013.md"),
        ProblemCode::JobExpired => include_str!("../../../docs/problems/RC0014.md"),
        ProblemCode::Interrupted => include_str!("../../../docs/problems/RC0015.md"),
        ProblemCode::DeadlineExceeded => include_str!("../../../docs/problems/RC0016.md"),
        ProblemCode::RouteGone => include_str!("../../../docs/problems/RC0017.md"),
        ProblemCode::StorageDamaged => include_str!("../../../docs/problems/RC0018.md"),
        ProblemCode::JobStateConflict => include_str!("../../../docs/problems/RC0019.md"),
        ProblemCode::RangeNotSatisfiable => include_str!("../../../docs/problems/RC0020.md"),
        ProblemCode::MethodNotAllowed => include_str!("../../../docs/problems/RC0021.md"),
        ProblemCode::Internal => include_str!("../../../docs/problems/RC0022.md"),
        ProblemCode::UpgradeNotSupported => include_str!("../../../docs/problems/RC0023.md"),
        ProblemCode::Overloaded => include_str!("../../../docs/problems/RC0024.md"),
        ProblemCode::LoopDetected => include_str!("../../../docs/problems/RC0025.md"),
        ProblemCode::HeadersTooLarge => include_str!("../../../docs/problems/RC0026.md"),
        ProblemCode::TargetTooLong => include_str!("../../../docs/problems/RC0027.md"),
        ProblemCode::InvalidParameter => include_str!("../../../docs/problems/RC0028.md"),
        ProblemCode::RetriesExhausted => include_str!("../../../docs/problems/RC0029.md"),
        ProblemCode::ConfigInvalid => include_str!("../../../docs/problems/RC0030.md"),
        ProblemCode::RateLimited => include_str!("../../../docs/problems/RC0031.md"),
        ProblemCode::IdempotencyKeyRequired => include_str!("../../../docs/problems/RC0032.md"),
        ProblemCode::IdempotencyKeyInvalid => include_str!("../../../docs/problems/RC0033.md"),
        ProblemCode::IdempotencyKeyReused => include_str!("../../../docs/problems/RC0034.md"),
        ProblemCode::DuplicateInProgress => include_str!("../../../docs/problems/RC0035.md"),
        ProblemCode::NoUpstream => include_str!("../../../docs/problems/RC0036.md"),
        ProblemCode::AccessDenied => include_str!("../../../docs/problems/RC0037.md"),
        ProblemCode::UpgradeRequired => include_str!("../../../docs/problems/RC0038.md"),
        ProblemCode::CallbackRefused => include_str!("../../../docs/problems/RC0039.md"),
        ProblemCode::DeliveryNotFound => include_str!("../../../docs/problems/RC0040.md"),
        ProblemCode::PreconditionFailed => include_str!("../../../docs/problems/RC0041.md"),
    }
}
