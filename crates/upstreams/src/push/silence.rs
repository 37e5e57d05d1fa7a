//! How long the upstream may be silent while it owes us bytes.
//!
//! Hour-long waits are normal here and timers that fire are rare, so the fast path must not touch
//! the timer wheel: the timer belongs to the connection and stays armed from one exchange to the
//! next. When it fires it is asked what really moved and when, and armed again for the rest.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::link::Link;

/// A connection's timer, made when first needed.
pub(super) type Timer = Option<Pin<Box<Sleep>>>;

/// One wait for bytes of the upstream.
#[derive(Debug)]
pub(super) struct Silence {
    /// How long it may be; none: for ever.
    limit: Option<Duration>,
    /// Since when it is the upstream's turn; none: it is not.
    since: Option<Instant>,
}

impl Silence {
    /// A wait that has not begun.
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self { limit, since: None }
    }

    /// A wait that begins now.
    pub(super) fn from(limit: Option<Duration>, now: Instant) -> Self {
        Self {
            limit,
            since: Some(now),
        }
    }

    /// The upstream sent something; the next wait begins when we ask for more.
    pub(super) fn broken(&mut self) {
        self.since = None;
    }

    /// Ready with the limit when the upstream has been silent for that long.
    pub(super) fn poll(
        &mut self,
        timer: &mut Timer,
        link: &Link,
        cx: &mut Context<'_>,
    ) -> Poll<Duration> {
        let Some(limit) = self.limit else {
            return Poll::Pending;
        };
        let since = *self.since.get_or_insert_with(Instant::now);
        let mut until = since + limit;
        let timer = timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        // Armed for earlier is fine: it fires, and is armed again for the rest.
        if timer.deadline() > until || timer.is_elapsed() {
            timer.as_mut().reset(until);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let silent_since = if link.waits_for_us() {
                now
            } else {
                since.max(link.moved())
            };
            // Kept: a timer that is set to a time in the past wakes its task at once, and would do so
            // with each look from here on.
            self.since = Some(silent_since);
            until = silent_since + limit;
            if until <= now {
                return Poll::Ready(limit);
            }
            timer.as_mut().reset(until);
        }
    }
}
