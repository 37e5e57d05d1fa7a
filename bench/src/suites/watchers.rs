//! What it costs to watch a job, and how soon its end is told: long polls, Server-Sent Events and
//! WebSockets.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home, route};
use crate::load::request;
use crate::report::{Section, mebibytes, number};

/// Watchers that are told at once.
const TOLD: usize = 1_000;
/// How many of them watch the same job.
const TOGETHER: [usize; 2] = [1, TOLD];
/// Connections to one listener: Linux has some 28,000 ports for each.
const PER_PORT: usize = 20_000;
/// Descriptors that are not for watchers.
const SPARE: u64 = 300;
/// Connections that are being opened at once.
const OPENING: usize = 128;
/// Long after anything.
const GIVE_UP: Duration = Duration::from_secs(120);

/// How a job is watched.
#[derive(Clone, Copy)]
enum Kind {
    Poll,
    Events,
    Socket,
}

impl Kind {
    fn title(self) -> &'static str {
        match self {
            Self::Poll => "long poll",
            Self::Events => "Server-Sent Events",
            Self::Socket => "WebSocket",
        }
    }

    fn request(self, job: &str) -> Vec<u8> {
        let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        match self {
            Self::Poll => request("GET", &format!("/jobs/{job}?wait=60"), "", b""),
            Self::Events => request("GET", &format!("/jobs/{job}/events"), "", b""),
            Self::Socket => request("GET", &format!("/jobs/{job}/events"), upgrade, b""),
        }
    }

    /// What has come once a watcher watches; a long poll says nothing before the end.
    fn begun(self) -> Option<&'static [u8]> {
        match self {
            Self::Poll => None,
            Self::Events | Self::Socket => Some(b"\"status\":\"processing\""),
        }
    }
}

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "watchers",
        &format!(
            "Clients that watch jobs, each on a connection of its own. Told: {TOLD} watch a job \
             each, and the jobs end one after another; then {TOLD} watch one job. The time is \
             from before the backend's answer is sent until the client has read `succeeded`, so \
             the commit, with its sync to disk, is in it. Idle: all watch a job that goes on; \
             memory is what the process has beyond what it had before them, for each. As many as \
             the limit of open files allows."
        ),
        &[
            "watchers",
            "jobs",
            "by",
            "p50 ms",
            "p99 ms",
            "max ms",
            "RSS before MiB",
            "idle MiB",
            "KiB each",
        ],
    );
    for kind in [Kind::Poll, Kind::Events, Kind::Socket] {
        for together in TOGETHER {
            told(context, &mut section, kind, together).await?;
        }
    }
    let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(room.saturating_sub(SPARE)).unwrap_or(usize::MAX);
    let idle = context.held.iter().copied().max().unwrap_or(0).min(room);
    for kind in [Kind::Events, Kind::Socket] {
        idles(context, &mut section, kind, idle).await?;
    }
    Ok(section)
}

/// A gateway with jobs that wait for their backend.
struct World {
    gate: Gate,
    gateway: Gateway,
    _home: Home,
}

/// A backend that answers when it is told to.
#[derive(Clone, Default)]
struct Gate(Rc<RefCell<HashMap<String, TcpStream>>>);

impl Gate {
    /// Listens in this thread, on the `LocalSet` that runs.
    async fn start() -> Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let gate = Self::default();
        let waiting = gate.clone();
        tokio::task::spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let waiting = waiting.clone();
                tokio::task::spawn_local(async move {
                    if let Ok(head) = until(&mut stream, &BODY).await
                        && let Some(path) = head.split(' ').nth(1)
                    {
                        waiting.0.borrow_mut().insert(path.to_owned(), stream);
                    }
                });
            }
        });
        Ok((gate, address))
    }

    /// Answers the request for this path.
    async fn open(&self, path: &str) -> Result<()> {
        let stream = self.0.borrow_mut().remove(path);
        let mut stream = stream.context("a request that waits")?;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
        Ok(stream.write_all(answer).await?)
    }
}

impl World {
    async fn start(context: &Context, ports: usize, watchers: usize) -> Result<Self> {
        let program = context.raincheck.as_ref();
        let program = program.context("this suite measures raincheck")?;
        let (gate, backend) = Gate::start().await?;
        let room = watchers + 1_000;
        let limits = format!("[limits]\nrequests = {room}\nconcurrency = {room}\n");
        let routes = route(
            "watched",
            "async",
            backend,
            &format!("concurrency = {room}"),
        );
        let listen = format!("{:?}", vec!["127.0.0.1:0"; ports]);
        let home = Home::listening(&context.data, &listen, &(limits + &routes))?;
        let gateway = home.start(program).await?;
        Ok(Self {
            gate,
            gateway,
            _home: home,
        })
    }

    /// A job that its backend has.
    async fn job(&self, path: &str) -> Result<Rc<str>> {
        let mut stream = TcpStream::connect(self.gateway.address).await?;
        let message = request("POST", path, "", &BODY);
        stream.write_all(&message).await?;
        let text = until(&mut stream, b"\"self\":\"/jobs/").await?;
        let id = text.split("/jobs/").nth(1).and_then(|id| id.get(..36));
        let id = id.context("a job id")?;
        while !self.gate.0.borrow().contains_key(path) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(id.into())
    }
}

/// What came until these bytes.
async fn until(stream: &mut TcpStream, wanted: &[u8]) -> Result<String> {
    let mut seen = Vec::with_capacity(2048);
    while memmem::find(&seen, wanted).is_none() {
        ensure!(
            stream.read_buf(&mut seen).await? > 0,
            "the connection ended"
        );
    }
    Ok(String::from_utf8_lossy(&seen).into_owned())
}

/// The watchers, and what became of them.
#[derive(Clone)]
struct Crowd {
    kind: Kind,
    addresses: Rc<[SocketAddr]>,
    opening: Rc<Semaphore>,
    watching: Rc<Cell<usize>>,
    /// From the answer of the backend to the watcher, in microseconds.
    late: Rc<RefCell<Histogram<u64>>>,
}

impl Crowd {
    fn new(gateway: &Gateway, kind: Kind) -> Result<Self> {
        Ok(Self {
            kind,
            addresses: gateway.listeners.clone().into(),
            opening: Rc::new(Semaphore::new(OPENING)),
            watching: Rc::default(),
            late: Rc::new(RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3)?)),
        })
    }

    /// Watches a job until its end or until nobody wants it to.
    async fn watch(self, number: usize, job: Rc<str>, mut ended: watch::Receiver<Option<Instant>>) {
        let watching = async {
            let turn = self.opening.acquire().await?;
            let address = self.addresses[number % self.addresses.len()];
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            stream.write_all(&self.kind.request(&job)).await?;
            if let Some(begun) = self.kind.begun() {
                until(&mut stream, begun).await?;
            }
            drop(turn);
            self.watching.set(self.watching.get() + 1);
            until(&mut stream, b"\"status\":\"succeeded\"").await?;
            let now = Instant::now();
            if let Some(at) = *ended.wait_for(Option::is_some).await? {
                let micros = now.saturating_duration_since(at).as_micros() as u64;
                self.late.borrow_mut().saturating_record(micros);
            }
            anyhow::Ok(())
        };
        // One that is not told is missing from the count.
        _ = tokio::time::timeout(GIVE_UP, watching).await;
    }

    async fn all_watch(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        while self.watching.get() < count {
            ensure!(
                begun.elapsed() < GIVE_UP,
                "{} of {count} watch",
                self.watching.get()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // A long poll says nothing when it begins to wait.
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

async fn told(context: &Context, section: &mut Section, kind: Kind, together: usize) -> Result<()> {
    let jobs = TOLD / together;
    let local = LocalSet::new();
    let telling = tell(context, kind, together);
    let late = local.run_until(telling).await?;
    let late = |quantile: f64| late.value_at_quantile(quantile) as f64 / 1e3;
    section.row([
        TOLD.to_string(),
        jobs.to_string(),
        kind.title().to_owned(),
        number(late(0.5)),
        number(late(0.99)),
        number(late(1.0)),
        "-".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
    ]);
    let of = format!("end told, {}, {together} to a job, p99", kind.title());
    section.at_most(&of, 5.0, late(0.99), " ms");
    Ok(())
}

/// How late each watcher was told.
async fn tell(context: &Context, kind: Kind, together: usize) -> Result<Histogram<u64>> {
    let world = World::start(context, 1, TOLD).await?;
    let crowd = Crowd::new(&world.gateway, kind)?;
    let mut ends = Vec::new();
    for number in 0..TOLD {
        if number % together == 0 {
            let path = format!("/watched/{number}");
            let job = world.job(&path).await?;
            ends.push((path, job, watch::Sender::new(None)));
        }
        let (_, job, ended) = ends.last().context("a job")?;
        let watching = crowd
            .clone()
            .watch(number, Rc::clone(job), ended.subscribe());
        tokio::task::spawn_local(watching);
    }
    crowd.all_watch(TOLD).await?;
    for (round, (path, _, ended)) in ends.iter().enumerate() {
        let at = Instant::now();
        world.gate.open(path).await?;
        ended.send_replace(Some(at));
        let wanted = ((round + 1) * together) as u64;
        while crowd.late.borrow().len() < wanted {
            ensure!(at.elapsed() < GIVE_UP, "not all were told");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(crowd.late.borrow().clone())
}

async fn idles(context: &Context, section: &mut Section, kind: Kind, idle: usize) -> Result<()> {
    let local = LocalSet::new();
    let idling = async {
        let world = World::start(context, idle.div_ceil(PER_PORT), idle).await?;
        let job = world.job("/watched/hang").await?;
        let before = world.gateway.process.usage()?.resident;
        let crowd = Crowd::new(&world.gateway, kind)?;
        let ended = watch::Sender::new(None);
        for number in 0..idle {
            let watching = crowd
                .clone()
                .watch(number, Rc::clone(&job), ended.subscribe());
            tokio::task::spawn_local(watching);
        }
        crowd.all_watch(idle).await?;
        anyhow::Ok((before, world.gateway.process.usage()?.resident))
    };
    let (before, resident) = local.run_until(idling).await?;
    let each = resident.saturating_sub(before) as f64 / idle as f64 / 1024.0;
    section.row([
        idle.to_string(),
        "1".to_owned(),
        format!("{}, idle", kind.title()),
        "-".to_owned(),
        "-".to_owned(),
        "-".to_owned(),
        number(mebibytes(before)),
        number(mebibytes(resident)),
        number(each),
    ]);
    let of = format!("memory each, {}, {idle} idle", kind.title());
    section.at_most(&of, 12.0, each, " KiB");
    Ok(())
}
