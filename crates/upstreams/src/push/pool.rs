//! The pool of connections, one stack per upstream, and the way of a request to a connection.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use http::header::{HOST, HeaderValue};
use http::{Request, Version};
use raincheck_core::outcome::{Cause, Failure};
use raincheck_core::policy::timeout::Timeouts;
use raincheck_core::route::upstream::{Protocol, Reach};
use raincheck_core::route::{Backends, RouteTable, Upstream};
use tokio::time::{Instant, sleep, timeout};

use super::agreed;
use super::answer::Answer;
use super::body::{OutBody, WireBody};
use super::conn::Conn;
use super::connect::Connector;
use super::framing;
use super::group::show::ServerState;
use super::group::{Groups, Server};
use super::host::{Counts, Host};
use super::http2::{self, Http2};
use super::lease::{self, Lease};
use super::options::{Error, Options};
use super::send::{self, Refused, Unsent};
use super::socket::Socket;
use super::switch::Switches;
use super::words;

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
    groups: Groups,
    swept: AtomicBool,
}

/// A pool that may be gone.
#[derive(Clone)]
pub(super) struct Pool(Weak<Shared>);

impl Pool {
    pub(super) fn upgrade(&self) -> Option<Upstreams> {
        self.0.upgrade().map(Upstreams)
    }
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
            groups: Groups::default(),
            swept: AtomicBool::new(false),
        }))
    }

    /// Sends one request and returns when the response head is there. The request goes out as it
    /// is: its URI is path and query, its fields are complete. One without `host` gets that of the
    /// upstream.
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
        let sent = self.deliver(&host, prepared(request), timeouts, None);
        sent.await.map_err(Refused::into_failure)
    }

    /// The same to whichever server of a route should have it. A server that did not get the
    /// request, as there was no connection, costs nothing but time: another one is asked.
    ///
    /// # Cancel safety
    ///
    /// As in [`Self::send`].
    ///
    /// # Errors
    ///
    /// As in [`Self::send`]; of several servers, what the last one said.
    pub async fn send_to(
        &self,
        backends: &Backends,
        request: Request<OutBody>,
        timeouts: Timeouts,
    ) -> Result<Answer, Failure> {
        match backends {
            Backends::One(upstream) => self.send(upstream, request, timeouts).await,
            Backends::Nobody => Err(words::nobody("nobody")),
            // Boxed, so that it does not make the common future larger.
            Backends::Group(group) => {
                let balancer = self
                    .0
                    .groups
                    .balancer(group, |upstream| self.host(upstream));
                Box::pin(balancer.send(self, prepared(request), timeouts)).await
            }
        }
    }

    /// Tells that the groups of these routes hold now, and no others: their servers are checked as
    /// they say. A server that stays in its group keeps what is known of it. One that no route names
    /// any more is forgotten: its idle connections are closed, exchanges in flight go on, and their
    /// connections end with them. Needs a runtime.
    pub fn follow(&self, routes: &RouteTable) {
        self.0.forget_all_but(&named(routes));
        let groups = routes.iter().filter_map(|route| route.upstream.group());
        let pool = Pool(Arc::downgrade(&self.0));
        self.0
            .groups
            .follow(groups, &pool, |upstream| self.host(upstream));
    }

    /// Whether a request for these servers has anywhere to go.
    ///
    /// # Errors
    ///
    /// No server can be used now: how long to wait before another look.
    pub fn ready(&self, backends: &Backends) -> Result<(), Duration> {
        let Backends::Group(group) = backends else {
            return Ok(());
        };
        let balancer = self
            .0
            .groups
            .balancer(group, |upstream| self.host(upstream));
        balancer.closed_for().map_or(Ok(()), Err)
    }

    /// Every server of a group as it is now.
    pub fn states(&self) -> Vec<ServerState> {
        self.0.groups.states()
    }

    /// One request on a connection of its own, beside the bound on connections.
    pub(super) async fn probe(
        &self,
        host: &Arc<Host>,
        request: Request<OutBody>,
        within: Duration,
    ) -> Result<Answer, Failure> {
        if host.http2.is_some() {
            let timeouts = Timeouts {
                connect: within,
                idle: None,
                total: None,
                total_means: Cause::Timeout,
            };
            let sent = self.deliver(host, prepared(request), timeouts, None).await;
            return sent.map_err(Refused::into_failure);
        }
        let lease = Lease {
            conn: self.open(host, within, false).await?,
            host: Arc::clone(host),
            permit: None,
            place: None,
        };
        let sent = send::exchange(lease, prepared(request), None, Instant::now());
        sent.await.map_err(Refused::into_failure)
    }

    /// One request to one upstream: on an idle connection, or a new one.
    pub(super) async fn deliver(
        &self,
        host: &Arc<Host>,
        mut request: Request<WireBody>,
        timeouts: Timeouts,
        server: Option<&Arc<Server>>,
    ) -> Result<Answer, Refused> {
        name_host(&mut request, &host.upstream);
        match &host.http2 {
            None => self.over_http1(host, request, timeouts, server).await,
            // Boxed, so that it does not make the common future larger.
            Some(http2) => Box::pin(self.as_agreed(http2, host, request, timeouts, server)).await,
        }
    }

    /// The same to an upstream that speaks HTTP/2, or may.
    async fn as_agreed(
        &self,
        http2: &Http2,
        host: &Arc<Host>,
        mut request: Request<WireBody>,
        timeouts: Timeouts,
        server: Option<&Arc<Server>>,
    ) -> Result<Answer, Refused> {
        let Some(agreed) = &host.agreed else {
            return http2::send(http2, self, host, request, timeouts, server).await;
        };
        if request.extensions().get::<Switches>().is_some() {
            return self.over_http1(host, request, timeouts, server).await;
        }
        for _ in 0..agreed::TURNS {
            let speaks_http2 = match agreed.ask(self, host, http2, timeouts.connect).await {
                Ok(speaks_http2) => speaks_http2,
                Err(failure) => return Err(Unsent::refused(request, failure)),
            };
            let sent = match speaks_http2 {
                true => http2::send(http2, self, host, request, timeouts, server).await,
                false => self.over_http1(host, request, timeouts, server).await,
            };
            // A server that has changed its mind got nothing of the request.
            request = match sent {
                Err(Refused::Unsent(unsent)) if agreed.is_not(speaks_http2) => unsent.request,
                sent => return sent,
            };
            if speaks_http2 {
                request = http2::unfitted(request);
            }
        }
        Err(Unsent::refused(request, words::closed_at_once()))
    }

    async fn over_http1(
        &self,
        host: &Arc<Host>,
        mut request: Request<WireBody>,
        timeouts: Timeouts,
        server: Option<&Arc<Server>>,
    ) -> Result<Answer, Refused> {
        let switches = request.extensions().get::<Switches>().is_some();
        loop {
            let permit = match host.permit(timeouts.connect).await {
                Ok(permit) => permit,
                Err(failure) => return Err(Unsent::refused(request, failure)),
            };
            let place = lease::place(server);
            let mut now = Instant::now();
            let idle = match switches {
                false => host.take(now, self.0.options.idle_timeout),
                true => None,
            };
            let reused = idle.is_some();
            let conn = match idle {
                Some(conn) => conn,
                // Boxed, as it is rare and much larger than the rest of this future.
                None => match Box::pin(self.open(host, timeouts.connect, switches)).await {
                    Ok(conn) => {
                        now = Instant::now();
                        conn
                    }
                    Err(failure) => return Err(Unsent::refused(request, failure)),
                },
            };
            let lease = Lease {
                conn,
                host: Arc::clone(host),
                permit,
                place,
            };
            match send::exchange(lease, request, timeouts.idle, now).await {
                Err(Refused::Unsent(unsent)) if reused => request = unsent.request,
                sent => return sent,
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

    async fn open(
        &self,
        host: &Host,
        within: Duration,
        switches: bool,
    ) -> Result<Box<Conn>, Failure> {
        let Some(agreed) = &host.agreed else {
            return Conn::start(self.connect(host, within).await?, switches).await;
        };
        if switches {
            // What the server would rather speak is not asked: HTTP/2 has no Upgrade.
            let upstream = only_http1(&host.upstream);
            let socket = self.connect_as(host, &upstream, within).await?;
            return Conn::start(socket, switches).await;
        }
        let socket = self.connect(host, within).await?;
        if socket.agreed_on_http2() {
            agreed.learn(true);
            return Err(words::changed_its_mind());
        }
        Conn::start(socket, switches).await
    }

    /// A connected socket; its upstream's connections are looked after from then on.
    pub(super) async fn connect(&self, host: &Host, within: Duration) -> Result<Socket, Failure> {
        self.connect_as(host, &host.upstream, within).await
    }

    /// The same, where the upstream of this host is reached in another way than others reach it.
    async fn connect_as(
        &self,
        host: &Host,
        upstream: &Upstream,
        within: Duration,
    ) -> Result<Socket, Failure> {
        let connecting = self.0.connector.connect(upstream);
        let socket = match timeout(within, connecting).await {
            Ok(connected) => connected.map_err(words::unreachable)?,
            Err(_) => return Err(words::too_slow(upstream, within)),
        };
        host.count_opened();
        if !self.0.swept.swap(true, Relaxed) {
            tokio::spawn(sweep(Arc::downgrade(&self.0), self.0.options.idle_timeout));
        }
        Ok(socket)
    }
}

impl std::fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Upstreams").field(&self.counts()).finish()
    }
}

impl Shared {
    /// Lets go of what is kept for other upstreams than these.
    fn forget_all_but(&self, named: &HashSet<Upstream>) {
        let reaches: HashSet<_> = named.iter().flat_map(reaches).collect();
        self.connector
            .read_files_again(|reach| reaches.contains(reach));
        let mut gone = Vec::new();
        let mut hosts = self.hosts.write().unwrap_or_else(PoisonError::into_inner);
        hosts.retain(|upstream, host| {
            let stays = named.contains(upstream);
            if !stays {
                gone.push(Arc::clone(host));
            }
            stays
        });
        // Closing takes longer than the lock is to be held.
        drop(hosts);
        gone.iter().for_each(|host| host.leave());
    }

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

/// Every upstream that a route names.
fn named(routes: &RouteTable) -> HashSet<Upstream> {
    let mut named = HashSet::new();
    for route in routes.iter() {
        match &route.upstream {
            Backends::Nobody => {}
            Backends::One(upstream) => _ = named.insert(upstream.clone()),
            Backends::Group(group) => {
                named.extend(group.members.iter().map(|member| member.upstream.clone()));
            }
        }
    }
    named
}

/// How an upstream is reached, also for what may switch protocols.
fn reaches(upstream: &Upstream) -> impl Iterator<Item = Arc<Reach>> {
    let switching = only_http1(upstream);
    upstream.reach.clone().into_iter().chain(switching.reach)
}

/// An upstream with which HTTP/1.1 is the only version that can be agreed on.
fn only_http1(upstream: &Upstream) -> Upstream {
    let mut upstream = upstream.clone();
    if let Some(reach) = &mut upstream.reach {
        Arc::make_mut(reach).protocol = Protocol::H1;
    }
    upstream
}

/// A request as it goes out.
fn prepared(request: Request<OutBody>) -> Request<WireBody> {
    let (mut parts, body) = request.into_parts();
    parts.version = Version::HTTP_11;
    framing::complete(&mut parts.headers, &body);
    if !parts.headers.contains_key(HOST) {
        parts.extensions.insert(OwnHost);
    }
    Request::from_parts(parts, WireBody::new(body))
}

/// Marks a request whose `Host` is that of whichever upstream gets it.
#[derive(Clone)]
struct OwnHost;

/// Writes that host.
fn name_host(request: &mut Request<WireBody>, upstream: &Upstream) {
    if request.extensions().get::<OwnHost>().is_some()
        && let Ok(host) = HeaderValue::try_from(upstream.authority())
    {
        request.headers_mut().insert(HOST, host);
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
