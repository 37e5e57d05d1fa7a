//! May a server be used now, and how much? What its answers and its checks change about that.
//!
//! Two judges are independent: its answers to real requests eject it for a while (`Ejection`), and
//! active checks (`HealthCheck`) take it out until it passes again. After either it comes back
//! slowly. Times are counted from any moment that stays the same.

use std::time::Duration;

use crate::route::upstream::{Ejection, HealthCheck};

/// How fine a server's share is: that of a server of weight 1 that has its full share.
pub const SHARE: u32 = 64;

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// Failures in a row.
    failures: u32,
    /// Ejections in a row, each longer than the one before.
    ejections: u32,
    /// Until when it is ejected.
    out_until: Option<Duration>,
    /// Whether its checks took it out.
    unhealthy: bool,
    /// Checks in a row that say otherwise.
    contrary: u32,
    /// Since when it is back, while it comes back slowly.
    back_since: Option<Duration>,
}

/// What a request says of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// An answer that is no failure.
    Good,
    /// There was no connection.
    Unreached,
    /// The connection broke before the answer.
    Broken,
    /// A timeout of the route passed.
    Timeout,
    /// An answer of 500 to 599.
    ServerError,
}

/// What became of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Its answers ejected it for so long.
    Ejected(Duration),
    /// Its checks took it out.
    Unhealthy,
    /// Its checks brought it back.
    Healthy,
}

impl Condition {
    /// Whether it may be used.
    pub fn is_usable(&self, now: Duration) -> bool {
        !self.unhealthy && !self.is_ejected(now)
    }

    /// Whether its answers keep it out.
    pub fn is_ejected(&self, now: Duration) -> bool {
        self.out_until.is_some_and(|until| now < until)
    }

    /// Whether its checks keep it out.
    pub fn is_unhealthy(&self) -> bool {
        self.unhealthy
    }

    /// How long it stays ejected.
    pub fn ejected_for(&self, now: Duration) -> Option<Duration> {
        let until = self.out_until.filter(|until| now < *until)?;
        Some(until - now)
    }

    /// Whether nothing about it needs to be looked at before it is used.
    pub fn is_settled(&self, slow_start: Duration, now: Duration) -> bool {
        self.failures == 0 && self.is_usable(now) && self.ramp(slow_start, now) == SHARE
    }

    /// Its share of the work, for its weight: a server that is back begins with a small one, which
    /// grows evenly to the full one within `slow_start`. 0: it must not be used.
    pub fn share(&self, weight: u32, slow_start: Duration, now: Duration) -> u32 {
        if self.is_usable(now) {
            weight.saturating_mul(self.ramp(slow_start, now))
        } else {
            0
        }
    }

    fn ramp(&self, slow_start: Duration, now: Duration) -> u32 {
        let since = [self.back_since, self.out_until].into_iter().flatten();
        let Some(since) = since.filter(|since| *since <= now).max() else {
            return SHARE;
        };
        let (gone, whole) = ((now - since).as_millis(), slow_start.as_millis());
        if gone >= whole {
            return SHARE;
        }
        let part = u128::from(SHARE) * gone / whole;
        u32::try_from(part).unwrap_or(SHARE).max(1)
    }

    /// A request ended at this server. `others` says whether another server may be used: answers
    /// and silence never take out the last one, as what all servers do is no fault of one; no
    /// connection does.
    pub fn reported(
        &mut self,
        report: Report,
        policy: &Ejection,
        others: bool,
        now: Duration,
    ) -> Option<Change> {
        let counts = match report {
            Report::Good => {
                self.recover(policy, now);
                return None;
            }
            Report::Unreached => policy.on.connect,
            Report::Broken => policy.on.connect && others,
            Report::Timeout => policy.on.timeout && others,
            Report::ServerError => policy.on.server_error && others,
        };
        if !counts || self.is_ejected(now) {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        // One that was ejected and is back has one try.
        let on_trial = self.ejections > 0;
        if self.failures < policy.failures && !on_trial {
            return None;
        }
        let doublings = self.ejections.min(31);
        let time = policy.time.saturating_mul(1 << doublings);
        let time = time.min(policy.max_time);
        self.ejections = self.ejections.saturating_add(1);
        self.failures = 0;
        self.out_until = Some(now.saturating_add(time));
        Some(Change::Ejected(time))
    }

    /// A good answer ends the row of failures; that of ejections ends when the server has been
    /// back for as long as an ejection takes.
    fn recover(&mut self, policy: &Ejection, now: Duration) {
        self.failures = 0;
        let back_for = self.out_until.and_then(|until| now.checked_sub(until));
        if back_for.is_some_and(|back_for| back_for >= policy.time) {
            self.ejections = 0;
        }
    }

    /// A check ended.
    pub fn checked(&mut self, passed: bool, policy: &HealthCheck, now: Duration) -> Option<Change> {
        if passed != self.unhealthy {
            self.contrary = 0;
            return None;
        }
        self.contrary = self.contrary.saturating_add(1);
        let needed = if passed {
            policy.healthy
        } else {
            policy.unhealthy
        };
        if self.contrary < needed {
            return None;
        }
        self.contrary = 0;
        self.unhealthy = !passed;
        if passed {
            self.back_since = Some(now);
            Some(Change::Healthy)
        } else {
            Some(Change::Unhealthy)
        }
    }

    /// Nobody checks the server any more: what checks said does not count.
    pub fn unwatch(&mut self) {
        self.unhealthy = false;
        self.contrary = 0;
    }
}

#[cfg(test)]
mod tests;
