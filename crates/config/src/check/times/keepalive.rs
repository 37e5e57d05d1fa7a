//! Bytes that keep a client come in time, and in front of an edge that they help with.

use raincheck_core::limits::KEEPALIVE_INTERVAL_MIN;
use raincheck_core::route::{HoldUntil, Mode, Route};

use crate::behind::Behind;
use crate::error::{Code, Finding, Findings};
use crate::route::Written;
use crate::section::Given;
use crate::units::show_duration;
use crate::value::Choice;

/// Rules on `keepalive` and `keepalive_interval`.
pub(super) fn check(
    written: &Written,
    route: &Route,
    behind: Option<&Given<Choice<Behind>>>,
    findings: &mut Findings,
) {
    let (Some(keepalive), Some(given)) = (route.keepalive, &written.keepalive) else {
        return;
    };
    if route.mode == Mode::Sync {
        return;
    }
    let interval = written.keepalive_interval.as_ref();
    if let Some(interval) = interval.filter(|given| given.value.0 < KEEPALIVE_INTERVAL_MIN) {
        let least = show_duration(KEEPALIVE_INTERVAL_MIN);
        let message = format!("`keepalive_interval` is shorter than {least}");
        findings.push(Finding::error(Code::Conflict, message).about(interval));
    }
    let Some(behind) = behind else { return };
    let edge = behind.value.0;
    let cuts = show_duration(edge.cuts_after());
    if edge.hold_until() == HoldUntil::Complete {
        let message = format!(
            "`keepalive` does not help behind {}, which limits whole responses to {cuts}",
            edge.title()
        );
        findings.push(
            Finding::warning(Code::Conflict, message)
                .about(given)
                .related(Some(&behind.at), "what stands in front")
                .help("say on_hold = \"redirect\", or leave both out for tickets"),
        );
    } else if keepalive.interval >= edge.cuts_after() {
        let message = format!(
            "{} gives up after {cuts} of silence, before the next byte of `keepalive`",
            edge.title()
        );
        let (at, key) = interval.map_or((&given.at, &given.key), |own| (&own.at, &own.key));
        findings.push(
            Finding::warning(Code::Conflict, message)
                .at(at)
                .key(key)
                .related(Some(&behind.at), "what stands in front")
                .help("leave `keepalive_interval` out for 15s"),
        );
    }
}
