//! What takes a server out, for how long, and how it comes back.

use std::time::Duration;

use super::{Change, Condition, Report, SHARE};
use crate::route::upstream::{EjectOn, Ejection, HealthCheck};

const SLOW: Duration = Duration::from_secs(10);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Ejection {
    Ejection {
        failures: 3,
        on: EjectOn {
            connect: true,
            timeout: true,
            server_error: true,
        },
        time: at(10),
        max_time: at(30),
    }
}

fn checks() -> HealthCheck {
    HealthCheck {
        path: "/".to_owned(),
        interval: at(5),
        timeout: at(1),
        healthy: 2,
        unhealthy: 3,
        status: 200..=399,
    }
}

/// Reports the same so often; what came of the last.
fn report(
    condition: &mut Condition,
    report: Report,
    times: usize,
    others: bool,
    now: Duration,
) -> Option<Change> {
    let mut last = None;
    for _ in 0..times {
        last = condition.reported(report, &policy(), others, now);
    }
    last
}

#[test]
fn only_failures_in_a_row_eject() {
    let mut condition = Condition::default();
    for _ in 0..5 {
        assert_eq!(
            report(&mut condition, Report::ServerError, 2, true, at(0)),
            None
        );
        assert!(!condition.is_settled(SLOW, at(0)));
        assert_eq!(report(&mut condition, Report::Good, 1, true, at(0)), None);
        assert!(condition.is_settled(SLOW, at(0)));
    }
    let ejected = report(&mut condition, Report::ServerError, 3, true, at(0));
    assert_eq!(ejected, Some(Change::Ejected(at(10))));
    assert!(!condition.is_usable(at(9)));
    assert_eq!(condition.share(7, SLOW, at(9)), 0);
    assert_eq!(condition.ejected_for(at(4)), Some(at(6)));
    assert!(condition.is_usable(at(10)));
}

#[test]
fn an_ejection_after_another_is_longer_and_needs_one_failure() {
    let mut condition = Condition::default();
    let mut now = at(0);
    report(&mut condition, Report::Unreached, 2, true, now);
    for expected in [10, 20, 30, 30] {
        let ejected = report(&mut condition, Report::Unreached, 1, true, now);
        assert_eq!(ejected, Some(Change::Ejected(at(expected))));
        // What was on its way when it was ejected does not count again.
        assert_eq!(
            report(&mut condition, Report::Unreached, 9, true, now),
            None
        );
        now += at(expected);
    }
    // A good answer right after it is back is no proof; one later is.
    report(&mut condition, Report::Good, 1, true, now);
    let again = report(&mut condition, Report::Unreached, 1, true, now);
    assert_eq!(again, Some(Change::Ejected(at(30))));
    now += at(30 + 10);
    report(&mut condition, Report::Good, 1, true, now);
    assert_eq!(
        report(&mut condition, Report::Unreached, 2, true, now),
        None
    );
    let first = report(&mut condition, Report::Unreached, 1, true, now);
    assert_eq!(first, Some(Change::Ejected(at(10))));
}

#[test]
fn the_last_server_is_ejected_only_when_it_cannot_be_reached() {
    for kind in [Report::ServerError, Report::Timeout, Report::Broken] {
        let mut condition = Condition::default();
        assert_eq!(report(&mut condition, kind, 50, false, at(0)), None);
        assert!(condition.is_usable(at(0)));
    }
    let mut condition = Condition::default();
    let ejected = report(&mut condition, Report::Unreached, 3, false, at(0));
    assert_eq!(ejected, Some(Change::Ejected(at(10))));
}

#[test]
fn what_is_not_named_does_not_count() {
    let on = EjectOn {
        connect: false,
        timeout: false,
        server_error: false,
    };
    let none = Ejection { on, ..policy() };
    let mut condition = Condition::default();
    for report in [
        Report::Unreached,
        Report::Broken,
        Report::Timeout,
        Report::ServerError,
    ] {
        for _ in 0..9 {
            assert_eq!(condition.reported(report, &none, true, at(0)), None);
        }
    }
    assert_eq!(condition, Condition::default());
}

#[test]
fn checks_take_out_and_bring_back_by_their_thresholds() {
    let mut condition = Condition::default();
    let check = |condition: &mut Condition, passed, now| condition.checked(passed, &checks(), now);
    assert_eq!(check(&mut condition, false, at(0)), None);
    assert_eq!(check(&mut condition, false, at(1)), None);
    assert_eq!(check(&mut condition, true, at(2)), None);
    assert_eq!(check(&mut condition, false, at(3)), None);
    assert_eq!(check(&mut condition, false, at(4)), None);
    assert_eq!(check(&mut condition, false, at(5)), Some(Change::Unhealthy));
    assert!(condition.is_unhealthy() && !condition.is_usable(at(5)));
    assert_eq!(check(&mut condition, false, at(6)), None);
    assert_eq!(check(&mut condition, true, at(7)), None);
    assert_eq!(check(&mut condition, false, at(8)), None);
    assert_eq!(check(&mut condition, true, at(9)), None);
    assert_eq!(check(&mut condition, true, at(10)), Some(Change::Healthy));
    assert!(condition.is_usable(at(10)));
    condition.checked(false, &checks(), at(11));
    condition.unwatch();
    assert!(condition.is_usable(at(12)));
}

#[test]
fn who_is_back_begins_with_little() {
    let mut condition = Condition::default();
    assert_eq!(condition.share(2, SLOW, at(0)), 2 * SHARE);
    report(&mut condition, Report::Unreached, 3, true, at(0));
    let shares = [10, 11, 15, 19, 20, 99].map(|now| condition.share(2, SLOW, at(now)));
    assert_eq!(shares, [2, 12, 64, 114, 2 * SHARE, 2 * SHARE]);
    assert!(!condition.is_settled(SLOW, at(19)));
    assert!(condition.is_settled(SLOW, at(20)));
    // Without a slow start it is back at once.
    assert_eq!(condition.share(2, Duration::ZERO, at(10)), 2 * SHARE);
    for (passed, times) in [(false, 3), (true, 2)] {
        for _ in 0..times {
            condition.checked(passed, &checks(), at(50));
        }
    }
    assert_eq!(condition.share(1, SLOW, at(55)), SHARE / 2);
}
