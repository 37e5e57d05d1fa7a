//! The connections to one upstream: idle ones, and the right to have more.
//!
//! The last connection that became idle is used first, so that under less load the others grow old
//! and are closed. An idle connection that its peer closes gives up its socket at once, as its task
//! sees the end; only its entry waits here for the next look.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_core::outcome::Failure;
use raincheck_core::route::Upstream;
use raincheck_core::route::upstream::Protocol;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::agreed::Agreed;
use super::conn::Conn;
use super::http2::Http2;
use super::options::Options;
use super::words;

/// How long a connection may be idle and be used without another look at its socket. Backends close
/// what is idle for seconds; a busy connection is not worth the system call.
const DOUBT: Duration = Duration::from_millis(100);

/// The connections to one upstream.
pub(super) struct Host {
    pub(super) upstream: Upstream,
    idle_max: usize,
    idle: Mutex<Idle>,
    in_flight: Option<Arc<Semaphore>>,
    max_age: Option<Duration>,
    /// Its connections, where HTTP/2 is spoken or may be.
    pub(super) http2: Option<Box<Http2>>,
    /// What was agreed on, where that is up to the server.
    pub(super) agreed: Option<Box<Agreed>>,
    opened: AtomicU64,
}

#[derive(Default)]
struct Idle {
    /// The oldest first.
    conns: VecDeque<Box<Conn>>,
    reused: u64,
    /// Nobody will come for another connection.
    left: bool,
}

/// What a pool has done and holds for one upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were opened.
    pub opened: u64,
    /// Exchanges on a connection that had served another before.
    pub reused: u64,
    /// Connections that are idle now.
    pub idle: usize,
}

impl Host {
    pub(super) fn new(upstream: &Upstream, options: &Options) -> Self {
        let reach = upstream.reach.as_deref();
        let own = reach.and_then(|reach| reach.connections);
        let own = own.map(|own| usize::try_from(own).unwrap_or(usize::MAX));
        let connections = own.or(options.connections_per_upstream);
        let max_age = reach.map_or(options.connection_age, |reach| reach.max_age);
        let http2 = || Some(Box::new(Http2::new(connections, max_age)));
        let (in_flight, http2, agreed) = match upstream.protocol() {
            Protocol::H1 => (connections, None, None),
            Protocol::H2 => (None, http2(), None),
            Protocol::Auto => (connections, http2(), Some(Box::default())),
        };
        let in_flight =
            in_flight.map(|max| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        Self {
            http2,
            agreed,
            max_age,
            upstream: upstream.clone(),
            idle_max: options.idle_per_upstream,
            idle: Mutex::default(),
            in_flight,
            opened: AtomicU64::new(0),
        }
    }

    /// The right to have one more exchange in flight. A connection is opened only when none is
    /// idle, so this bounds connections too.
    pub(super) async fn permit(
        &self,
        within: Duration,
    ) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        let Some(in_flight) = &self.in_flight else {
            return Ok(None);
        };
        // As a rule there is one, and no timer is needed. Whoever waits goes first all the same.
        if let Ok(permit) = Arc::clone(in_flight).try_acquire_owned() {
            return Ok(Some(permit));
        }
        let turn = timeout(within, Arc::clone(in_flight).acquire_owned());
        match Box::pin(turn).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(words::all_busy(&self.upstream, within)),
        }
    }

    /// The connection that became idle last, if it is not too old.
    pub(super) fn take(&self, now: Instant, idle_timeout: Duration) -> Option<Box<Conn>> {
        let mut idle = self.lock();
        while let Some(conn) = idle.conns.pop_back() {
            let age = now.saturating_duration_since(conn.idle_since);
            if age < idle_timeout && conn.sender.is_ready() {
                idle.reused += 1;
                if age > DOUBT {
                    conn.link.doubt();
                }
                return Some(conn);
            }
        }
        None
    }

    /// Keeps a connection that is ready for another exchange.
    pub(super) fn put(&self, mut conn: Box<Conn>) {
        conn.idle_since = conn.link.moved();
        if let Some(max_age) = self.max_age
            && conn
                .idle_since
                .saturating_duration_since(conn.link.opened())
                >= max_age
        {
            return;
        }
        let mut idle = self.lock();
        idle.conns.push_back(conn);
        let surplus = if idle.left || idle.conns.len() > self.idle_max {
            idle.conns.pop_front()
        } else {
            None
        };
        drop(idle);
        drop(surplus);
    }

    /// Closes idle connections, those of a pool that goes on to be used.
    pub(super) fn drain(&self) {
        if let Some(http2) = &self.http2 {
            http2.drain();
        }
        let conns = std::mem::take(&mut self.lock().conns);
        drop(conns);
    }

    /// Closes idle connections now, and each other one when its exchange is over.
    pub(super) fn leave(&self) {
        self.lock().left = true;
        self.drain();
    }

    /// Drops connections that are closed or have been idle for too long.
    pub(super) fn sweep(&self, now: Instant, idle_timeout: Duration) {
        if let Some(http2) = &self.http2 {
            http2.sweep(now, idle_timeout);
        }
        let mut gone = Vec::new();
        let mut idle = self.lock();
        for conn in std::mem::take(&mut idle.conns) {
            let fresh = now.saturating_duration_since(conn.idle_since) < idle_timeout;
            if fresh && !conn.sender.is_closed() {
                idle.conns.push_back(conn);
            } else {
                gone.push(conn);
            }
        }
        drop(idle);
        drop(gone);
    }

    pub(super) fn counts(&self) -> Counts {
        let idle = self.lock();
        Counts {
            opened: self.opened.load(Relaxed),
            reused: idle.reused,
            idle: idle.conns.len() + self.http2.as_ref().map_or(0, |http2| http2.idle()),
        }
    }

    /// Counts a connection that was opened.
    pub(super) fn count_opened(&self) {
        self.opened.fetch_add(1, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raincheck_core::limits::UPSTREAM_CONNECTIONS;
    use raincheck_core::route::upstream::Reach;
    use raincheck_core::route::{Scheme, Upstream};

    use super::{Host, Options};

    #[test]
    fn connections_are_bounded_also_where_nobody_says_so() {
        let room = |upstream: &Upstream| {
            let host = Host::new(upstream, &Options::default());
            host.in_flight.map(|bound| bound.available_permits())
        };
        let mut upstream = Upstream::new(Scheme::Http, "b", 80);
        assert_eq!(room(&upstream), Some(UPSTREAM_CONNECTIONS));
        upstream.reach = Some(Arc::new(Reach {
            connections: Some(7),
            ..Reach::default()
        }));
        assert_eq!(room(&upstream), Some(7));
    }
}
