//! A client that follows redirects waits without knowing it: how long does each redirect wait?
//!
//! Clients follow a limited number of redirects, 20 as a rule. With each one waiting twice as long
//! as the one before it, up to what the edge allows, twenty of four minutes at most cover an hour.

use std::time::Duration;

use crate::route::{OnHold, Route};

/// The wait of a redirect, in whole seconds as they stand in its URL: the first waits `hold`, each
/// later one twice as long as the one before it, none longer than `longest` and none shorter than a
/// second. `hop` counts from 1.
pub fn wait(hold: Duration, longest: Duration, hop: u32) -> Duration {
    let doubled = hop.saturating_sub(1).min(31);
    let wait = hold.saturating_mul(1 << doubled).min(longest);
    Duration::from_secs(wait.as_secs().max(1))
}

/// The wait of the redirect that follows `hop` of them on a route; none if the route hands out
/// tickets, or is gone.
pub fn next(route: Option<&Route>, hop: u32) -> Option<Duration> {
    let route = route?;
    match route.on_hold {
        OnHold::Ticket => None,
        OnHold::Redirect { longest } => Some(wait(route.hold, longest, hop.saturating_add(1))),
    }
}

#[cfg(test)]
mod tests {
    //! What twenty redirects cover.

    use std::time::Duration;

    use super::wait;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn covered(hold: u64, longest: u64) -> u64 {
        (1..=20)
            .map(|hop| wait(seconds(hold), seconds(longest), hop).as_secs())
            .sum()
    }

    #[test]
    fn each_waits_twice_as_long_up_to_the_longest() {
        let waits = [1, 2, 3, 4, 5, 6].map(|hop| wait(seconds(25), seconds(240), hop).as_secs());
        assert_eq!(waits, [25, 50, 100, 200, 240, 240]);
    }

    #[test]
    fn twenty_cover_an_hour_where_the_edge_allows_four_minutes_and_500_s_behind_one_of_29_s() {
        assert!(covered(25, 240) > 3600);
        assert_eq!(covered(25, 25), 500);
    }

    #[test]
    fn a_wait_is_whole_seconds_and_at_least_one() {
        assert_eq!(wait(Duration::from_millis(300), seconds(9), 1), seconds(1));
        assert_eq!(wait(Duration::from_millis(1500), seconds(9), 1), seconds(1));
        assert_eq!(wait(seconds(25), seconds(240), u32::MAX), seconds(240));
        assert_eq!(wait(seconds(25), seconds(240), 0), seconds(25));
    }
}
