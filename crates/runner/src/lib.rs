//! Decides what runs now, owns every exchange that has no client, and performs actions.
//!
//! A [`Runner`] is a handle; its parts are loops over shared state:
//!
//! * [`accept`]: a request becomes a job, queued or already running;
//! * [`dispatch`]: the one place that turns due jobs and permits into attempts; [`bell`] wakes it;
//! * [`begin`], [`attempt`], [`settle`]: one attempt from its lease to its end;
//! * [`change`]: load, apply, commit, perform: how every job changes here;
//! * [`sweep`]: deadlines and retention;
//! * [`rescue`]: attempts whose end nobody will tell;
//! * [`reload`]: the routes that hold, and others in their place;
//! * [`progress`]: how far attempts say they are;
//! * [`callback`], [`sign`]: tells callers of their jobs' ends;
//! * [`watch`]: who waits for which job; [`news`]: what is told to those who stay;
//! * [`drain`]: stop leasing, finish or hand back; [`bequest`]: the same for a successor.

pub mod accept;
mod attempt;
mod begin;
mod bell;
mod bequest;
pub mod callback;
mod change;
mod damage;
mod dispatch;
mod drain;
mod error;
pub mod news;
mod orders;
mod pace;
pub mod permits;
pub mod progress;
mod reload;
mod rescue;
pub mod result;
mod running;
mod settle;
pub mod sign;
pub mod status;
mod sweep;
mod together;
pub mod told;
pub mod watch;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use raincheck_core::ambient::Ambient;
use raincheck_core::id::{JobId, RouteName};
use raincheck_core::job::Job;
use raincheck_core::limits::WATCHERS;
use raincheck_core::route::{Route, RouteTable};
use raincheck_core::time::Timestamp;
use raincheck_exchange::Source;
use raincheck_store::Store;
use raincheck_telemetry::Metrics;
use raincheck_upstreams::Upstreams;
use tokio::sync::{Notify, watch as latest};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bequest::Visit;
pub use drain::Drained;
pub use error::Error;
pub use permits::Permit;
pub use watch::Watch;

/// How long a lease lasts unless renewed. Renewed at a third of it.
pub const LEASE: Duration = Duration::from_secs(30);

/// What a runner is made from.
pub struct Options {
    /// Where jobs live.
    pub store: Arc<dyn Store>,
    /// How backends are reached.
    pub upstreams: Upstreams,
    /// What is promised until [`Runner::reload`].
    pub routes: Arc<RouteTable>,
    /// Clock and chance.
    pub ambient: Arc<dyn Ambient>,
    /// Where attempts are counted.
    pub metrics: Arc<Metrics>,
    /// Attempts in flight at most, over all routes.
    pub attempts: usize,
    /// How callers are told of their jobs' ends; none: they are not.
    pub webhooks: Option<callback::Webhooks>,
}

/// A handle on the runner; cheap to clone.
#[derive(Clone)]
pub struct Runner {
    pub(crate) shared: Arc<Shared>,
}

/// What the loops share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) upstreams: Upstreams,
    pub(crate) routes: reload::Current,
    pub(crate) ambient: Arc<dyn Ambient>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) permits: permits::Permits,
    pub(crate) running: running::Running,
    pub(crate) watchers: watch::Watchers,
    pub(crate) pace: pace::Pace,
    pub(crate) telling: Option<Arc<callback::Telling>>,
    pub(crate) reports: progress::Reports,
    pub(crate) dispatch: Arc<bell::Bell>,
    /// Rung when jobs may wait for a route that is gone.
    pub(crate) homeless: Notify,
    /// Attempts, and changes that must not be dropped half-way.
    pub(crate) tasks: TaskTracker,
    pub(crate) loops: TaskTracker,
    /// Whether nothing is taken from the queue.
    pub(crate) resting: latest::Sender<bool>,
    /// Those who may need the store before they are done.
    pub(crate) visits: AtomicUsize,
    /// Set when the store goes to another process.
    pub(crate) bequeathed: CancellationToken,
    /// Set first at shutdown: nothing new is accepted or leased.
    pub(crate) draining: CancellationToken,
    /// Set when the grace period nears its end: clients that are held get their tickets.
    pub(crate) last_call: CancellationToken,
    /// Set when the grace period is over: what still runs is handed back.
    pub(crate) hand_back: CancellationToken,
    /// Set last: the loops end.
    pub(crate) stopped: CancellationToken,
}

impl Shared {
    pub(crate) fn now(&self) -> Timestamp {
        self.ambient.now()
    }
}

impl Runner {
    /// Starts the loops on the current runtime, and takes care of what an earlier process left.
    pub fn start(options: Options) -> Self {
        let Options {
            store,
            upstreams,
            routes,
            ambient,
            metrics,
            attempts,
            webhooks,
        } = options;
        upstreams.follow(&routes);
        let dispatch = Arc::new(bell::Bell::default());
        let shared = Arc::new(Shared {
            telling: webhooks.map(|own| Arc::new(callback::Telling::new(own))),
            reports: progress::Reports::new(&*ambient),
            permits: permits::Permits::new(&routes, attempts, &dispatch),
            store,
            upstreams,
            routes: reload::Current::new(routes),
            ambient,
            metrics,
            running: running::Running::default(),
            watchers: watch::Watchers::default(),
            pace: pace::Pace::default(),
            dispatch,
            homeless: Notify::new(),
            tasks: TaskTracker::new(),
            loops: TaskTracker::new(),
            resting: latest::Sender::new(false),
            visits: AtomicUsize::new(0),
            bequeathed: CancellationToken::new(),
            draining: CancellationToken::new(),
            last_call: CancellationToken::new(),
            hand_back: CancellationToken::new(),
            stopped: CancellationToken::new(),
        });
        for route in shared.routes.get().iter() {
            shared.dispatch.ring(&route.name);
        }
        shared.loops.spawn(dispatch::run(Arc::clone(&shared)));
        shared.loops.spawn(sweep::run(Arc::clone(&shared)));
        shared.loops.spawn(rescue::run(Arc::clone(&shared)));
        match &shared.telling {
            Some(telling) => {
                let telling = Arc::clone(telling);
                let telling = callback::run(Arc::clone(&shared), telling);
                shared.loops.spawn(telling)
            }
            None => shared
                .loops
                .spawn(callback::untold::run(Arc::clone(&shared))),
        };
        Self { shared }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The routes that hold now.
    pub fn routes(&self) -> Arc<RouteTable> {
        self.shared.routes.get()
    }

    /// Clock and chance.
    pub fn ambient(&self) -> &Arc<dyn Ambient> {
        &self.shared.ambient
    }

    /// Where requests and attempts are counted.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// How backends are reached.
    pub fn upstreams(&self) -> &Upstreams {
        &self.shared.upstreams
    }

    /// Whether shutdown has begun.
    pub fn is_draining(&self) -> bool {
        self.shared.draining.is_cancelled()
    }

    /// A job as it stands.
    ///
    /// # Errors
    /// `NotFound`, or what the store says.
    pub async fn job(&self, id: JobId) -> Result<Job, Error> {
        self.shared.load(id).await
    }

    /// Waits for changes of a job from now on. Subscribe first, then load.
    pub fn watch(&self, id: JobId) -> Watch {
        self.shared.watchers.watch(id)
    }

    /// The same within the bound on those who wait; none beyond it: answer at once.
    pub fn try_watch(&self, id: JobId) -> Option<Watch> {
        self.shared.watchers.try_watch(id, WATCHERS)
    }

    /// The answer that a job is about to have, while it is recorded; none before its head is known,
    /// and once it is stored. Watch first, then ask.
    pub fn source(&self, id: JobId) -> Option<Source> {
        self.shared.running.source(id)
    }

    /// How long attempts of a route have taken lately; none before the first ended.
    pub fn typical(&self, route: &RouteName) -> Option<Duration> {
        self.shared.pace.typical(route)
    }

    /// The right to have one more exchange of this route in flight; waits for it.
    pub async fn permit(&self, route: &Route) -> Permit {
        self.shared.permits.acquire(route).await
    }

    /// The same if it can be had at once.
    pub fn try_permit(&self, route: &Route) -> Option<Permit> {
        self.shared.permits.try_acquire(route)
    }

    /// Attempts in flight that belong to the runner.
    pub fn in_flight(&self) -> usize {
        self.shared.running.len()
    }
}
