//! Nothing grows without a bound, and at rest everything is given back.

use crate::history::{Event, Gauge, What};

/// Looks for what is more than it may be.
pub fn check(events: &[Event]) -> Vec<String> {
    let gauge = |event: &Event| match &event.what {
        What::Gauge(gauge) => Some(gauge.clone()),
        _ => None,
    };
    let gauges: Vec<Gauge> = events.iter().filter_map(gauge).collect();
    let mut found: Vec<String> = gauges.iter().flat_map(over).collect();
    if !gauges.iter().any(|gauge| gauge.at_rest) {
        found.push("the world did not come to rest".to_owned());
    }
    found
}

fn over(gauge: &Gauge) -> Vec<String> {
    let &Gauge {
        at_rest,
        connections,
        in_flight,
        in_flight_max,
        waiting,
        waiting_max,
        jobs,
        files,
    } = gauge;
    let mut found = Vec::new();
    let mut check = |what: &str, is: u64, most: u64| {
        if is > most {
            found.push(format!(
                "{is} {what}, {most} are allowed; at rest: {at_rest}"
            ));
        }
    };
    let rest = |most: u64| if at_rest { 0 } else { most };
    check("connections", connections as u64, rest(u64::MAX));
    check(
        "attempts in flight",
        in_flight as u64,
        rest(in_flight_max as u64),
    );
    check("jobs in a queue", waiting, rest(waiting_max));
    check("stored jobs", jobs as u64, rest(u64::MAX));
    check("files of bodies", files as u64, rest(u64::MAX));
    found
}
