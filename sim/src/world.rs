//! A whole world: clients, network, gateway processes, their disk and the backend, all of one seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use raincheck_config::{Overrides, Plan};
use raincheck_store::{Jobs, Queue, Store};
use tokio::time::Instant;

use crate::backend::Backend;
use crate::broken::Broken;
use crate::chance::Chance;
use crate::clock::Surroundings;
use crate::disk::{Disk, Platters};
use crate::history::{Gauge, History, Tag, What};
use crate::net::{Host, Net, Place, Weather};
use crate::process::{Parts, Process};

/// How long a world may take to come to rest once its workload is over.
const REST_WITHIN: Duration = Duration::from_secs(8 * 3600);
/// How long idle connections may take to end at rest.
const IDLE_ENDS: Duration = Duration::from_secs(300);

/// What a route allows, for those who judge.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Attempts of one job.
    pub attempts: u32,
    /// Whether requests that are not idempotent are sent again.
    pub repeat_unsafe: bool,
}

/// What a world is made from.
pub struct Blueprint {
    /// The gateway's config.
    pub config: String,
    /// How long a sync takes, in milliseconds.
    pub sync_millis: (u64, u64),
    /// How the network is.
    pub weather: Weather,
    /// How long it takes until somebody starts a process again that died.
    pub restart_after: Duration,
}

/// A world. Clones are the same.
#[derive(Clone)]
pub struct World(Arc<Inner>);

/// What a world has.
pub struct Inner {
    /// What happens.
    pub history: History,
    /// Chance for the workload.
    pub chance: Chance,
    /// The network.
    pub net: Net,
    /// The disk.
    pub platters: Arc<Platters>,
    /// The backend.
    pub backend: Backend,
    /// Where the clients are.
    pub clients: Host,
    plan: Plan,
    restart_after: Duration,
    broken: Option<Broken>,
    began: Instant,
    /// What the next machine's clock and delays draw from.
    machines: Chance,
    process: Mutex<Option<Process>>,
    processes: AtomicU32,
    crashes: AtomicU32,
    tags: AtomicU32,
    ends: AtomicBool,
}

impl std::ops::Deref for World {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl World {
    /// A world with a backend and no gateway yet.
    ///
    /// # Errors
    /// The config is wrong, which is a mistake of the scenario.
    pub fn new(seed: u64, blueprint: &Blueprint, broken: Option<Broken>) -> anyhow::Result<Self> {
        let root = Chance::new(seed);
        let history = History::new();
        let net = Net::new(root.fork());
        net.weather(blueprint.weather);
        let text = Some(("sim.toml", blueprint.config.as_str()));
        let plan = raincheck_config::load(text, [], &Overrides::default());
        let plan = plan.map_err(|errors| anyhow::anyhow!("{errors:?}"));
        let disk = (root.fork(), history.clone(), blueprint.sync_millis, broken);
        Ok(Self(Arc::new(Inner {
            backend: Backend::start(&net, &history),
            platters: Arc::new(Platters::new(disk.0, disk.1, disk.2, disk.3)),
            history,
            chance: root.fork(),
            net,
            clients: Host::default(),
            plan: plan.context("the scenario's config")?,
            restart_after: blueprint.restart_after,
            broken,
            began: Instant::now(),
            machines: root.fork(),
            process: Mutex::default(),
            processes: AtomicU32::new(0),
            crashes: AtomicU32::new(0),
            tags: AtomicU32::new(0),
            ends: AtomicBool::new(false),
        })))
    }

    /// A tag that no request has yet.
    pub fn next_tag(&self) -> Tag {
        self.tags.fetch_add(1, SeqCst) + 1
    }

    /// What a route allows.
    pub fn terms(&self, route: &str) -> Terms {
        let routes = self.plan.routes.iter();
        let mut named = routes.filter(|other| other.name.as_str() == route);
        named.next().map_or(
            Terms {
                attempts: 1,
                repeat_unsafe: false,
            },
            |route| Terms {
                attempts: route.retry.attempts,
                repeat_unsafe: route.retry.repeat_unsafe,
            },
        )
    }

    /// How many processes died.
    pub fn crashes(&self) -> u32 {
        self.crashes.load(SeqCst)
    }

    /// How much time has passed in it.
    pub fn age(&self) -> Duration {
        self.began.elapsed()
    }

    fn current(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process that was started last, if it lives.
    pub fn process(&self) -> Option<Process> {
        self.current().clone()
    }

    /// Starts a process, opens its port, and sees to it that another follows when it dies.
    ///
    /// # Errors
    /// A mistake of the scenario.
    pub fn start(&self) -> anyhow::Result<Process> {
        let number = self.processes.fetch_add(1, SeqCst) + 1;
        let host = Host::default();
        let dies = self.clone();
        let dead = host.clone();
        let disk = Disk::open(&self.platters, &host, move || dies.crash(&dead));
        let surroundings = Surroundings::new(self.began, self.machines.fork());
        let process = Process::start(Parts {
            number,
            plan: self.plan.clone(),
            host,
            net: self.net.clone(),
            disk: Arc::new(disk),
            surroundings: Arc::new(surroundings),
            chance: self.machines.fork(),
            broken: self.broken,
        })?;
        let what = "starts";
        self.history.add(What::Process { number, what });
        *self.current() = Some(process.clone());
        self.net.open(Place::Gateway);
        tokio::spawn(self.clone().watch(process.clone()));
        Ok(process)
    }

    /// Stops a process whose store has failed, as the binary does, and starts another.
    async fn watch(self, process: Process) {
        tokio::select! {
            biased;
            () = process.host.death() => return,
            _ = process.disk.faulted() => {}
        }
        self.history.fault("the process stops, as its store failed");
        process.stop(Duration::from_secs(2)).await;
        self.crash(&process.host);
    }

    /// Kills the process on `host` at once. What is durable stays; another starts after a while,
    /// unless one has taken over already.
    pub fn crash(&self, host: &Host) {
        if !host.is_alive() {
            return;
        }
        host.kill();
        let is_current = |process: &mut Process| process.host.is(host);
        let Some(dead) = self.current().take_if(is_current) else {
            return;
        };
        let number = dead.number;
        let what = "is gone";
        self.history.add(What::Process { number, what });
        self.crashes.fetch_add(1, SeqCst);
        self.net.close(Place::Gateway);
        self.platters.reopen();
        let world = self.clone();
        tokio::spawn(async move {
            tokio::spawn(dead.bury());
            tokio::time::sleep(world.restart_after).await;
            // The same config was fit for the process before.
            if !world.ends.load(SeqCst) {
                _ = world.start();
            }
        });
    }

    /// Stops the present process as planned, hands its port to another, and starts that.
    ///
    /// # Errors
    /// A mistake of the scenario.
    pub async fn take_over(&self, grace: Duration) -> anyhow::Result<()> {
        let Some(process) = self.process() else {
            return Ok(());
        };
        let number = process.number;
        let what = "is asked to stop";
        self.history.add(What::Process { number, what });
        tokio::select! {
            biased;
            () = process.stop(grace) => {}
            // It died before it had stopped, and is followed by another already.
            () = process.host.death() => return Ok(()),
        }
        process.host.kill();
        let what = "has stopped";
        self.history.add(What::Process { number, what });
        self.platters.reopen();
        self.start()?;
        Ok(())
    }

    /// Writes down how much of everything there is.
    pub fn gauge(&self, at_rest: bool) {
        let Some(process) = self.process() else {
            return;
        };
        let model = self.platters.model();
        let routes = &self.plan.routes;
        let waiting = routes.iter().map(|route| model.waiting(&route.name));
        let most = routes.iter().map(|route| route.queue);
        self.history.add(What::Gauge(Gauge {
            at_rest,
            connections: process.server.connections(),
            in_flight: process.runner.in_flight(),
            in_flight_max: usize::try_from(self.plan.limits.concurrency).unwrap_or(usize::MAX),
            waiting: waiting.max().unwrap_or(0),
            waiting_max: most.max().unwrap_or(0),
            jobs: self.jobs(),
            files: model.files(),
        }));
    }

    fn jobs(&self) -> usize {
        let counts: BTreeMap<_, u64> = self
            .platters
            .model()
            .counts()
            .into_iter()
            .map(|(route, status, count)| ((route, status), count))
            .collect();
        usize::try_from(counts.values().sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Lets the world come to rest: all faults end, all jobs end and are forgotten in their time.
    /// Writes down what is left.
    pub async fn rest(&self) {
        self.net.weather(Weather::default());
        self.platters.fill(false);
        {
            let mut faults = self.platters.faults();
            faults.crashes.clear();
            faults.fails_next = None;
        }
        let until = Instant::now() + REST_WITHIN;
        while Instant::now() < until && (self.jobs() > 0 || self.process().is_none()) {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        tokio::time::sleep(IDLE_ENDS).await;
        self.gauge(true);
        self.ends.store(true, SeqCst);
    }
}
