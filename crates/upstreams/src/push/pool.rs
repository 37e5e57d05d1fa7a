//! The pool of connections, one stack per upstream.
//!
//! The last connection that became idle is used first, so that under less load the others grow old
//! and are closed. An idle connection that its peer closes gives up its socket at once, as its task
//! sees the end; only its entry waits here for the next look.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::Duration;

use http::{Request, Version};
use raincheck_core::outcome::Failure;
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::Upstream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use super::answer::Answer;
use super::body::{OutBody, WireBody};
use super::conn::Conn;
use super::connect::Connector;
use super::framing;
use super::lease::Lease;
use super::options::{Error, Options};
use super::send::{self, Refused};
use super::words;

/// How long a connection may be idle and be used without another look at its socket. Backends close
/// what is idle for seconds; a busy connection is not worth the system call.
const DOUBT: Duration = Duration::from_millis(100);

/// Connections to all upstreams. A clone is another handle on the same pool; when the last one is
/// gone, idle connections are closed.
///
/// A connection lives on the runtime that first needed it. One pool may serve several runtimes, but
/// a pool per runtime keeps a request and its connection on one core.
#[derive(Clone)]
pub struct Upstreams(Arc<Shared>);

struct Shared {
    options: Options,
    connector: Connector,
    hosts: RwLock<HashMap<Upstream, Arc<Host>>>,
    swept: AtomicBool,
}

/// The connections to one upstream.
pub(super) struct Host {
    upstream: Upstream,
    idle_max: usize,
    idle: Mutex<Idle>,
    in_flight: Option<Arc<Semaphore>>,
    opened: AtomicU64,
}

#[derive(Default)]
struct Idle {
    /// The oldest first.
    conns: VecDeque<Box<Conn>>,
    reused: u64,
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

impl Upstreams {
    /// A pool without connections.
    ///
    /// # Errors
    ///
    /// When the extra CA file cannot be used.
    pub fn new(options: Options) -> Result<Self, Error> {
        let connector = Connector::new(&options)?;
        Ok(Self::with(options, connector))
    }

    /// A pool of connections over another network than the system's.
    ///
    /// # Errors
    ///
    /// As [`Upstreams::new`].
    #[cfg(feature = "testing")]
    pub fn over(dial: Box<dyn crate::testing::Dial>, options: Options) -> Result<Self, Error> {
        let connector = Connector::new(&options)?.over(dial);
        Ok(Self::with(options, connector))
    }

    fn with(options: Options, connector: Connector) -> Self {
        Self(Arc::new(Shared {
            options,
            connector,
            hosts: RwLock::default(),
            swept: AtomicBool::new(false),
        }))
    }

    /// Sends one request and returns when the response head is there. The request goes out as it
    /// is, as HTTP/1.1: its URI is path and query, its fields are complete, `host` among them.
    /// `timeouts.connect` and `timeouts.idle` are kept here, the total is the caller's.
    ///
    /// An idle connection that turns out to be closed before it took the request costs nothing but
    /// another connection. While the request's body is still on its way the answer may already
    /// be there; the body then goes on being sent until the answer ends.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the connection that was used, if any.
    ///
    /// # Errors
    ///
    /// `seen` says how far the request had come.
    pub async fn send(
        &self,
        upstream: &Upstream,
        request: Request<OutBody>,
        timeouts: Timeouts,
    ) -> Result<Answer, Failure> {
        let host = self.host(upstream);
        let (mut parts, body) = request.into_parts();
        parts.version = Version::HTTP_11;
        framing::complete(&mut parts.headers, &body);
        let mut request = Request::from_parts(parts, WireBody::new(body));
        loop {
            let permit = host.permit(timeouts.connect).await?;
            let mut now = Instant::now();
            let idle = host.take(now, self.0.options.idle_timeout);
            let reused = idle.is_some();
            let conn = match idle {
                Some(conn) => conn,
                None => {
                    // Boxed, as it is rare and much larger than the rest of this future.
                    let conn = Box::pin(self.open(&host, timeouts.connect)).await?;
                    now = Instant::now();
                    conn
                }
            };
            let lease = Lease {
                conn,
                host: Arc::clone(&host),
                permit,
            };
            match send::exchange(lease, request, timeouts.idle, now).await {
                Ok(answer) => return Ok(answer),
                Err(Refused::Failed(failure)) => return Err(failure),
                Err(Refused::Unsent(_)) if !reused => return Err(words::closed_at_once()),
                Err(Refused::Unsent(unsent)) => request = *unsent,
            }
        }
    }

    /// Closes the idle connections. Exchanges in flight go on.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// What the pool has done and holds, upstream by upstream.
    pub fn counts(&self) -> Vec<(Upstream, Counts)> {
        let hosts = self.0.hosts.read().unwrap_or_else(PoisonError::into_inner);
        let counts = |host: &Arc<Host>| (host.upstream.clone(), host.counts());
        hosts.values().map(counts).collect()
    }

    fn host(&self, upstream: &Upstream) -> Arc<Host> {
        let hosts = self.0.hosts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(host) = hosts.get(upstream) {
            return Arc::clone(host);
        }
        drop(hosts);
        let mut hosts = self.0.hosts.write().unwrap_or_else(PoisonError::into_inner);
        let host = hosts
            .entry(upstream.clone())
            .or_insert_with(|| Arc::new(Host::new(upstream, &self.0.options)));
        Arc::clone(host)
    }

    async fn open(&self, host: &Host, within: Duration) -> Result<Box<Conn>, Failure> {
        let connecting = self.0.connector.connect(&host.upstream);
        let socket = match timeout(within, connecting).await {
            Ok(connected) => connected.map_err(words::unreachable)?,
            Err(_) => return Err(words::too_slow(&host.upstream, within)),
        };
        host.opened.fetch_add(1, Relaxed);
        if !self.0.swept.swap(true, Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(&self.0), self.0.options.idle_timeout));
        }
        Conn::start(socket).await
    }
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Upstreams").field(&self.counts()).finish()
    }
}

impl Shared {
    fn drain(&self) {
        let hosts = self.hosts.read().unwrap_or_else(PoisonError::into_inner);
        for host in hosts.values() {
            host.drain();
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.drain();
    }
}

impl Host {
    fn new(upstream: &Upstream, options: &Options) -> Self {
        let in_flight = options
            .connections_per_upstream
            .map(|max| Arc::new(Semaphore::new(max.min(Semaphore::MAX_PERMITS))));
        Self {
            upstream: upstream.clone(),
            idle_max: options.idle_per_upstream,
            idle: Mutex::default(),
            in_flight,
            opened: AtomicU64::new(0),
        }
    }

    /// The right to have one more exchange in flight. A connection is opened only when none is
    /// idle, so this bounds connections too.
    async fn permit(&self, within: Duration) -> Result<Option<OwnedSemaphorePermit>, Failure> {
        let Some(in_flight) = &self.in_flight else {
            return Ok(None);
        };
        match timeout(within, Arc::clone(in_flight).acquire_owned()).await {
            Ok(permit) => Ok(permit.ok()),
            Err(_) => Err(words::all_busy(&self.upstream, within)),
        }
    }

    /// The connection that became idle last, if it is not too old.
    fn take(&self, now: Instant, idle_timeout: Duration) -> Option<Box<Conn>> {
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
        let mut idle = self.lock();
        idle.conns.push_back(conn);
        let surplus = if idle.conns.len() > self.idle_max {
            idle.conns.pop_front()
        } else {
            None
        };
        drop(idle);
        drop(surplus);
    }

    fn drain(&self) {
        let conns = std::mem::take(&mut self.lock().conns);
        drop(conns);
    }

    /// Drops connections that are closed or have been idle for too long.
    fn sweep(&self, now: Instant, idle_timeout: Duration) {
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

    fn counts(&self) -> Counts {
        let idle = self.lock();
        Counts {
            opened: self.opened.load(Relaxed),
            reused: idle.reused,
            idle: idle.conns.len(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at all idle connections from time to time, until the pool is gone.
async fn sweep(shared: Weak<Shared>, idle_timeout: Duration) {
    let pause = (idle_timeout / 4).clamp(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        sleep(pause).await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let hosts: Vec<_> = {
            let hosts = shared.hosts.read().unwrap_or_else(PoisonError::into_inner);
            hosts.values().cloned().collect()
        };
        let now = Instant::now();
        for host in hosts {
            host.sweep(now, idle_timeout);
        }
    }
}
