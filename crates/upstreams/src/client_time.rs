//! The time for which a request's body waited for its client: no time of the backend's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::Extensions;
use tokio::time::Instant;

/// How often somebody looks again whose time does not pass while a client is waited for.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// For how long a request's body has waited for its client. The body's reader keeps it; it travels
/// among the extensions of the request, and whoever bounds the exchange takes it off.
#[derive(Debug, Clone)]
pub struct ClientTime(Arc<Clock>);

#[derive(Debug)]
struct Clock {
    begun: Instant,
    /// Nanoseconds of the waits that are over.
    spent: AtomicU64,
    /// Nanoseconds from `begun` to the wait that goes on, and one; 0: there is none.
    since: AtomicU64,
}

impl ClientTime {
    /// Nothing was waited for yet.
    pub fn begin() -> Self {
        Self(Arc::new(Clock {
            begun: Instant::now(),
            spent: AtomicU64::new(0),
            since: AtomicU64::new(0),
        }))
    }

    /// The client owes bytes, and none are there. Called by the body's one reader, as often as it
    /// finds none.
    pub fn waits(&self) {
        if self.0.since.load(Relaxed) == 0 {
            self.0.since.store(self.now() + 1, Relaxed);
        }
    }

    /// The client has sent something, or the end. Called by the body's one reader.
    pub fn goes_on(&self) {
        let since = self.0.since.swap(0, Relaxed);
        if let Some(since) = since.checked_sub(1) {
            self.0
                .spent
                .fetch_add(self.now().saturating_sub(since), Relaxed);
        }
    }

    /// For how long it was waited until now, the wait that goes on included.
    pub fn spent(&self) -> Duration {
        let ongoing = match self.0.since.load(Relaxed).checked_sub(1) {
            Some(since) => self.now().saturating_sub(since),
            None => 0,
        };
        Duration::from_nanos(self.0.spent.load(Relaxed).saturating_add(ongoing))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.begun.elapsed().as_nanos()).unwrap_or(u64::MAX - 1)
    }
}

/// The end of a time that does not pass while a client is waited for.
#[derive(Debug, Clone)]
pub struct Until {
    at: Instant,
    client: Option<ClientTime>,
}

impl Until {
    /// `at`, and later by what the request of these extensions waits for its client.
    pub fn new(at: Instant, request: &Extensions) -> Self {
        let client = request.get::<ClientTime>().cloned();
        Self { at, client }
    }

    /// The earliest moment at which it can have come.
    pub fn at(&self) -> Instant {
        self.at
    }

    /// Somebody else was waited for as well.
    pub fn forgive(&mut self, waited: Duration) {
        self.at = self.at.checked_add(waited).unwrap_or(self.at);
    }

    /// None: it has come. Otherwise when to look again.
    pub fn later(&self) -> Option<Instant> {
        let now = Instant::now();
        let Some(client) = &self.client else {
            return Some(self.at).filter(|at| *at > now);
        };
        let at = self.at.checked_add(client.spent())?;
        if at <= now {
            return None;
        }
        let waits = client.0.since.load(Relaxed) != 0;
        Some(if waits { at.max(now + LOOK_AGAIN) } else { at })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Extensions;
    use tokio::time::{Instant, advance};

    use super::{ClientTime, LOOK_AGAIN, Until};

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn only_the_waits_are_counted() {
        let time = ClientTime::begin();
        advance(SECOND).await;
        assert_eq!(time.spent(), Duration::ZERO);
        time.waits();
        advance(SECOND).await;
        time.waits();
        assert_eq!(time.spent(), SECOND);
        advance(SECOND).await;
        time.goes_on();
        advance(SECOND).await;
        time.goes_on();
        assert_eq!(time.spent(), 2 * SECOND);
        time.waits();
        advance(SECOND).await;
        assert_eq!(time.spent(), 3 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_end_comes_later_by_the_waits() {
        let time = ClientTime::begin();
        let mut request = Extensions::new();
        request.insert(time.clone());
        let end = Instant::now() + 3 * SECOND;
        let until = Until::new(end, &request);
        assert_eq!(until.later(), Some(end));
        advance(2 * SECOND).await;
        time.waits();
        advance(10 * SECOND).await;
        assert_eq!(until.later(), Some(Instant::now() + SECOND));
        time.goes_on();
        advance(SECOND - Duration::from_millis(1)).await;
        time.waits();
        assert_eq!(until.later(), Some(Instant::now() + LOOK_AGAIN));
        time.goes_on();
        advance(Duration::from_millis(1)).await;
        assert_eq!(until.later(), None);
        assert_eq!(Until::new(end, &Extensions::new()).later(), None);
    }
}
