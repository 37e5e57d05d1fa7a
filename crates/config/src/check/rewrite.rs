//! Rules across the keys that change requests and answers.

use raincheck_core::rewrite::cors::Origins;
use raincheck_core::route::{Mode, Route};

use crate::error::{Code, Finding, Findings};
use crate::route::Written;
use crate::route::rewrite::WrittenCors;

/// Every rule within one route. `jobs` are the rules for other origins of the job API.
pub(super) fn check(written: &Written, route: &Route, jobs: &WrittenCors, findings: &mut Findings) {
    prefix(written, route, findings);
    answers(written, route, findings);
    cors(&written.rewrite.cors, findings);
    tickets(written, route, jobs, findings);
}

fn prefix(written: &Written, route: &Route, findings: &mut Findings) {
    let Some(given) = &written.rewrite.strip_prefix else {
        return;
    };
    if route.pattern.segments_of_prefix(&given.value.0).is_none() {
        let message = format!(
            "`strip_prefix`: not every path of route '{}' begins with {}",
            route.name, given.value.0
        );
        findings.push(
            Finding::error(Code::Conflict, message)
                .about(given)
                .related(written.pattern.as_ref().map(|g| &g.at), "what it matches")
                .help("let `match` begin with the segments that come off, written the same"),
        );
    }
}

fn answers(written: &Written, route: &Route, findings: &mut Findings) {
    let (redirect, respond) = (&written.rewrite.redirect, &written.rewrite.respond);
    let shown = &written.shown;
    if let Some(at) = redirect.at.as_ref().filter(|_| redirect.is_silent) {
        let message = "a redirect has no `to`";
        findings.push(
            Finding::error(Code::Missing, message)
                .at(at)
                .key(format!("{shown}.redirect.to")),
        );
    }
    if let (Some(Err(error)), Some(to)) = (redirect.resolve(&route.pattern), &redirect.to) {
        let message = format!("bad value for `to`: {error}");
        findings.push(Finding::error(Code::BadValue, message).about(to));
    }
    if let (Some(body), Some(file)) = (&respond.body, &respond.file) {
        findings.push(
            Finding::error(Code::Conflict, "an answer has either a `body` or a `file`")
                .about(file)
                .related(Some(&body.at), "the body"),
        );
    }
}

/// What holds for `cors` wherever it stands.
pub(super) fn cors(cors: &WrittenCors, findings: &mut Findings) {
    let Some(at) = &cors.at else { return };
    let Some(origins) = &cors.origins else {
        if !cors.is_silent {
            return;
        }
        findings.push(
            Finding::error(Code::Missing, "`cors` has no `origins`")
                .at(at)
                .key(format!("{}.origins", cors.shown)),
        );
        return;
    };
    if let Some(credentials) = cors.credentials.as_ref().filter(|given| given.value)
        && origins.value == Origins::Any
    {
        let message = "no browser sends credentials where every origin is let in";
        findings.push(
            Finding::error(Code::Conflict, message)
                .about(credentials)
                .related(Some(&origins.at), "every origin")
                .help("name the origins"),
        );
    }
}

/// A script that gets a ticket and cannot use it.
fn tickets(written: &Written, route: &Route, jobs: &WrittenCors, findings: &mut Findings) {
    let Some(origins) = &written.rewrite.cors.origins else {
        return;
    };
    if route.mode != Mode::Sync && jobs.origins.is_none() {
        let message = format!(
            "scripts on other origins may get a ticket of route '{}', and then cannot ask for its result",
            route.name
        );
        findings.push(
            Finding::warning(Code::Conflict, message)
                .about(origins)
                .help("give [server] the same `cors`: it is for the job API"),
        );
    }
}
