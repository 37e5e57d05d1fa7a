//! Rules within one route: times that contradict each other, and keys that nothing reads.

mod keepalive;
mod redirects;

use std::time::Duration;

use raincheck_core::route::{HoldUntil, Mode, OnHold, Route};

use crate::behind::Behind;
use crate::error::{Code, Finding, Findings};
use crate::route::Written;
use crate::section::{Given, Strength};
use crate::tree::Origin;
use crate::units::show_duration;
use crate::value::{Choice, Positive};

/// Every rule within one route.
pub(super) fn check(
    written: &Written,
    route: &Route,
    behind: Option<&Given<Choice<Behind>>>,
    findings: &mut Findings,
) {
    if route.mode == Mode::Auto {
        hold_in_time(written, route, findings);
    }
    if let Some(behind) = behind {
        match route.mode {
            Mode::Auto => hold_before_edge(written, route, behind, findings),
            Mode::Sync => relay_before_edge(written, route, behind, findings),
            Mode::Async => {}
        }
    }
    redirects::check(written, route, behind, findings);
    keepalive::check(written, route, behind, findings);
    phases(written, route, findings);
    backoff(written, findings);
    for (key, at) in unread(written, route) {
        let message = format!("`{key}` has no effect on {}", without(route, key));
        let path = format!("{}.{key}", written.shown);
        findings.push(Finding::warning(Code::NoEffect, message).at(at).key(path));
    }
}

fn without(route: &Route, key: &str) -> String {
    if key.starts_with("retry.") {
        format!("route '{}': it has one attempt only", route.name)
    } else if key == "keepalive_interval" && route.mode != Mode::Sync {
        format!("route '{}': it has no `keepalive`", route.name)
    } else if key == "redirect_hold" && route.mode != Mode::Sync {
        format!("route '{}': its `on_hold` is ticket", route.name)
    } else if key == "resume" && route.mode != Mode::Async {
        format!("route '{}': its `hold_until` is complete", route.name)
    } else {
        format!(
            "route '{}': its mode is {}",
            route.name,
            route.mode.as_str()
        )
    }
}

/// Error where the one who said the hold could have known better, otherwise a warning.
fn hold_in_time(written: &Written, route: &Route, findings: &mut Findings) {
    let limits = [
        ("timeout", route.timeout, written.timeout.as_ref()),
        ("deadline", route.deadline, written.deadline.as_ref()),
    ];
    for (name, limit, given) in limits {
        let Some(limit) = limit.filter(|limit| route.hold >= *limit) else {
            continue;
        };
        let message = format!(
            "no client of route '{}' can get a ticket: the hold of {} is not shorter than the {name} of {}",
            route.name,
            show_duration(route.hold),
            show_duration(limit)
        );
        let knew = written
            .hold
            .as_ref()
            .is_some_and(|hold| given.is_none_or(|limit| hold.strength <= limit.strength));
        let finding = if knew {
            Finding::error(Code::Conflict, message)
        } else {
            Finding::warning(Code::Conflict, message)
        };
        let limit_at = given.map(|given| &given.at);
        findings.push(place_hold(finding, written, limit_at).help(format!(
            "make `hold` shorter than `{name}`, or say mode = \"sync\" if nobody shall get a ticket"
        )));
    }
}

fn place_hold(finding: Finding, written: &Written, other: Option<&Origin>) -> Finding {
    let key = format!("{}.hold", written.shown);
    match &written.hold {
        Some(hold) => finding.about(hold).related(other, "the other time"),
        None => finding
            .at_option(other.or(written.header.as_ref()))
            .key(key),
    }
}

fn hold_before_edge(
    written: &Written,
    route: &Route,
    behind: &Given<Choice<Behind>>,
    findings: &mut Findings,
) {
    let edge = behind.value.0;
    let cuts = show_duration(edge.cuts_after());
    if let Some(hold) = written
        .hold
        .as_ref()
        .filter(|_| route.hold >= edge.cuts_after())
    {
        let message = format!(
            "{} gives up after {cuts}, before the hold of {} ends",
            edge.title(),
            show_duration(route.hold)
        );
        let safe = show_duration(edge.hold());
        findings.push(
            Finding::warning(Code::Conflict, message)
                .about(hold)
                .related(Some(&behind.at), "what stands in front")
                .help(format!(
                    "leave `hold` out for {safe}, or raise the edge's own timeout and drop `behind`"
                )),
        );
    }
    if let Some(until) = &written.hold_until
        && (route.hold_until, edge.hold_until()) == (HoldUntil::Head, HoldUntil::Complete)
    {
        let message = format!(
            "{} limits whole responses to {cuts}: one whose head came in time can still be cut",
            edge.title()
        );
        findings.push(
            Finding::warning(Code::Conflict, message)
                .about(until)
                .related(Some(&behind.at), "what stands in front")
                .help("say hold_until = \"complete\", or leave it out"),
        );
    }
}

/// A sync route that may take longer than its edge: the client gets the edge's timeout.
fn relay_before_edge(
    written: &Written,
    route: &Route,
    behind: &Given<Choice<Behind>>,
    findings: &mut Findings,
) {
    let edge = behind.value.0;
    let (name, ours, given) = match edge.hold_until() {
        HoldUntil::Complete => ("timeout", route.timeout, written.timeout.as_ref()),
        HoldUntil::Head => {
            let given = written.idle_timeout.as_ref().or(written.timeout.as_ref());
            ("idle_timeout", route.idle_timeout, given)
        }
    };
    if ours.is_some_and(|ours| ours <= edge.cuts_after()) {
        return;
    }
    let message = format!(
        "{} gives up after {}, before the {name} of sync route '{}' ({})",
        edge.title(),
        show_duration(edge.cuts_after()),
        route.name,
        ours.map_or_else(|| "none".to_owned(), show_duration)
    );
    findings.push(
        Finding::warning(Code::Conflict, message)
            .at_option(given.map(|given| &given.at).or(written.header.as_ref()))
            .key(format!("{}.{name}", written.shown))
            .related(Some(&behind.at), "what stands in front")
            .help("say mode = \"auto\": then the client gets a ticket in time"),
    );
}

/// Phases that are longer than the whole.
fn phases(written: &Written, route: &Route, findings: &mut Findings) {
    let Some(whole) = route.timeout else { return };
    if let Some(connect) = longer(written.connect_timeout.as_ref(), whole) {
        findings.push(
            Finding::error(Code::Conflict, "`connect_timeout` is longer than `timeout`")
                .about(connect)
                .related(
                    written.timeout.as_ref().map(|given| &given.at),
                    "the whole attempt",
                ),
        );
    }
    if let Some(idle) = &written.idle_timeout
        && route.idle_timeout.is_none_or(|time| time > whole)
    {
        findings.push(
            Finding::warning(
                Code::NoEffect,
                "`idle_timeout` has no effect: `timeout` ends first",
            )
            .about(idle)
            .related(
                written.timeout.as_ref().map(|given| &given.at),
                "the whole attempt",
            ),
        );
    }
    if let (Some(timeout), Some(deadline)) = (&written.timeout, &written.deadline)
        && route.deadline.is_some_and(|deadline| deadline < whole)
    {
        findings.push(
            Finding::warning(
                Code::Conflict,
                "no attempt gets its whole `timeout`: `deadline` ends first",
            )
            .about(timeout)
            .related(Some(&deadline.at), "the whole job"),
        );
    }
}

fn longer(given: Option<&Given<Positive>>, whole: Duration) -> Option<&Given<Positive>> {
    given.filter(|given| given.strength != Strength::Defaults && given.value.0 > whole)
}

fn backoff(written: &Written, findings: &mut Findings) {
    if let (Some(first), Some(longest)) = (&written.retry.backoff, &written.retry.max_backoff)
        && first.value > longest.value
    {
        findings.push(
            Finding::error(Code::Conflict, "`backoff` is longer than `max_backoff`")
                .about(first)
                .related(Some(&longest.at), "the longest wait"),
        );
    }
}

/// Keys of the route's own table that its mode never reads, with their places.
fn unread<'a>(written: &'a Written, route: &Route) -> Vec<(&'static str, &'a Origin)> {
    let mut keys = Vec::new();
    // What is recorded is a job, also on a sync route.
    let relays = route.mode == Mode::Sync && !route.resume;
    if relays {
        keys.push(own("hold", written.hold.as_ref()));
    }
    if route.mode == Mode::Async || relays {
        keys.push(own("hold_until", written.hold_until.as_ref()));
        keys.push(own("on_disconnect", written.on_disconnect.as_ref()));
    }
    if route.on_hold == OnHold::Ticket {
        keys.push(own("redirect_hold", written.redirect_hold.as_ref()));
    }
    if route.keepalive.is_none() || route.mode == Mode::Sync {
        keys.push(own(
            "keepalive_interval",
            written.keepalive_interval.as_ref(),
        ));
    }
    if route.mode == Mode::Async || route.hold_until == HoldUntil::Complete {
        keys.push(own("resume", written.resume.as_ref().filter(|on| on.value)));
    }
    if route.mode == Mode::Sync {
        keys.push(own("on_hold", written.on_hold.as_ref()));
        if route.keepalive.is_some() {
            keys.push(own("keepalive", written.keepalive.as_ref()));
        }
    }
    if relays {
        let duplicates = &written.duplicates;
        keys.push(own("duplicate", duplicates.on_unfinished.as_ref()));
        keys.push(own("dedupe", duplicates.dedupe.as_ref()));
        keys.push(own("fingerprint_headers", duplicates.fields.as_ref()));
        keys.push(own("caller_headers", duplicates.caller.as_ref()));
        keys.push(own("deadline", written.deadline.as_ref()));
        keys.push(own("queue", written.queue.as_ref()));
        keys.push(own("retention", written.retention.as_ref()));
        keys.push(own("retry", written.retry.attempts.as_ref()));
    } else if route.retry.attempts == 1 {
        keys.push(own("retry.backoff", written.retry.backoff.as_ref()));
        keys.push(own("retry.max_backoff", written.retry.max_backoff.as_ref()));
        keys.push(own("retry.on", written.retry.on.as_ref()));
    }
    keys.into_iter().flatten().collect()
}

fn own<'a, T>(
    key: &'static str,
    given: Option<&'a Given<T>>,
) -> Option<(&'static str, &'a Origin)> {
    given
        .filter(|given| given.strength == Strength::Own)
        .map(|given| (key, &given.at))
}
