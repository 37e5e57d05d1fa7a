//! How long a client waits, what it gets at the end of that, and how long an exchange may take.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[path = "support/route.rs"]
mod support;

use std::time::Duration;

use raincheck_core::outcome::Cause;
use raincheck_core::policy::hold::{self, Plan, Progress, Step};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::prefer::Prefer;
use raincheck_core::route::{HoldUntil, Mode};

use support::route;

#[test]
fn the_mode_and_the_client_decide_how_a_request_begins() {
    let second = Duration::from_secs(1);
    let plan = |mode, respond_async, wait| {
        let mut route = route("r", "/");
        route.mode = mode;
        hold::plan(
            &route,
            Prefer {
                respond_async,
                wait,
                page: false,
                keepalive: false,
            },
        )
    };
    let long = Some(100 * second);
    for (respond_async, wait) in [
        (false, None),
        (true, None),
        (true, Some(second)),
        (false, long),
    ] {
        assert_eq!(plan(Mode::Sync, respond_async, wait), Plan::Relay);
    }
    let at_once = Plan::Queue(Duration::ZERO);
    assert_eq!(plan(Mode::Async, false, None), at_once);
    assert_eq!(plan(Mode::Async, true, None), at_once);
    assert_eq!(plan(Mode::Async, true, Some(second)), Plan::Queue(second));
    assert_eq!(
        plan(Mode::Async, false, long),
        Plan::Queue(25 * second),
        "never longer"
    );
    assert_eq!(plan(Mode::Auto, false, None), Plan::Hold(25 * second));
    assert_eq!(plan(Mode::Auto, true, None), at_once);
    assert_eq!(plan(Mode::Auto, true, Some(second)), Plan::Hold(second));
    assert_eq!(plan(Mode::Auto, false, Some(second)), Plan::Hold(second));
    assert_eq!(
        plan(Mode::Auto, true, long),
        Plan::Hold(25 * second),
        "never longer"
    );
}

#[test]
fn an_answer_that_is_there_at_the_end_of_the_hold_wins() {
    use {HoldUntil as H, Progress as P};
    for (until, progress, in_time, over) in [
        (H::Head, P::Waiting, Step::Wait, Step::Ticket),
        (H::Head, P::Head, Step::Relay, Step::Relay),
        (H::Head, P::Complete, Step::Relay, Step::Relay),
        (H::Complete, P::Waiting, Step::Wait, Step::Ticket),
        (H::Complete, P::Head, Step::Wait, Step::Ticket),
        (H::Complete, P::Complete, Step::Relay, Step::Relay),
    ] {
        assert_eq!(hold::step(until, progress, false), in_time);
        assert_eq!(hold::step(until, progress, true), over);
    }
}

#[test]
fn the_nearer_end_counts_and_says_what_it_is() {
    let second = Duration::from_secs(1);
    let total = |timeout, left| {
        let mut route = route("r", "/");
        route.timeout = timeout;
        let timeouts = Timeouts::new(&route, left);
        (timeouts.total, timeouts.total_means)
    };
    let (near, far) = (Some(second), Some(9 * second));
    assert_eq!(total(near, far), (near, Cause::Timeout));
    assert_eq!(total(far, near), (near, Cause::Deadline));
    assert_eq!(total(near, near), (near, Cause::Timeout));
    assert_eq!(total(near, None), (near, Cause::Timeout));
    assert_eq!(total(None, near), (near, Cause::Deadline));
    assert_eq!(total(None, None), (None, Cause::Timeout));
}
