//! Redirect waits that contradict the hold, the edge or what a wait may be at most.

use raincheck_core::limits::REDIRECT_WAIT_MAX;
use raincheck_core::route::{OnHold, Route};

use crate::behind::Behind;
use crate::error::{Code, Finding, Findings};
use crate::route::Written;
use crate::section::Given;
use crate::units::show_duration;
use crate::value::Choice;

/// Rules on `redirect_hold`.
pub(super) fn check(
    written: &Written,
    route: &Route,
    behind: Option<&Given<Choice<Behind>>>,
    findings: &mut Findings,
) {
    let (OnHold::Redirect { longest }, Some(given)) = (route.on_hold, &written.redirect_hold)
    else {
        return;
    };
    let conflict = |message: String| Finding::error(Code::Conflict, message).about(given);
    if longest > REDIRECT_WAIT_MAX {
        let most = show_duration(REDIRECT_WAIT_MAX);
        findings.push(
            conflict(format!("`redirect_hold` is longer than {most}"))
                .help("a client follows about 20 redirects; 4m each cover an hour"),
        );
    }
    if longest < route.hold {
        let hold = show_duration(route.hold);
        findings.push(
            conflict(format!(
                "`redirect_hold` is shorter than the hold of {hold}, which the first redirect waits"
            ))
            .related(written.hold.as_ref().map(|hold| &hold.at), "the hold"),
        );
    }
    if let Some(behind) = behind.filter(|behind| longest >= behind.value.0.cuts_after()) {
        let edge = behind.value.0;
        let message = format!(
            "{} gives up after {}, before a redirect of {} ends",
            edge.title(),
            show_duration(edge.cuts_after()),
            show_duration(longest)
        );
        findings.push(
            Finding::warning(Code::Conflict, message)
                .about(given)
                .related(Some(&behind.at), "what stands in front")
                .help(
                    "leave `redirect_hold` out, or raise the edge's own timeout and drop `behind`",
                ),
        );
    }
}
