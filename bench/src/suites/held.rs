//! What a held request costs in memory, and how late its ticket is: many clients at once on an auto
//! route whose backend never answers in time.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::BODY;
use crate::context::Context;
use crate::gateway::{Gateway, Home};
use crate::load::request;
use crate::noop::Noop;
use crate::report::{Section, mebibytes, number};

/// How long clients are held: long enough for all of them to be there before the first goes.
const HOLD: Duration = Duration::from_secs(20);
/// Long after any hold.
const GIVE_UP: Duration = Duration::from_secs(60);
/// Connections between one pair of addresses: Linux has some 28,000 ports for them.
const PER_PORT: usize = 20_000;
/// Descriptors that are not for clients or their exchanges.
const SPARE: u64 = 300;
/// Connections that are being opened at once.
const OPENING: usize = 256;

/// Runs the suite.
pub async fn run(context: &Context) -> Result<Section> {
    let mut section = Section::new(
        "held",
        &format!(
            "Clients that wait on an auto route with a hold of {} s, each on a connection of its \
             own; the backend has every request and answers none. Memory is what the process has \
             beyond what it had before them, for each: while all are held, and when all have \
             their tickets and the exchanges go on. A ticket is late by the time from the hold's \
             end, counted from the client's last byte, to the ticket's head. As many as the limit \
             of open files allows: a held request has two connections.",
            HOLD.as_secs()
        ),
        &[
            "request",
            "held",
            "RSS before MiB",
            "held MiB",
            "KiB each",
            "ticketed KiB each",
            "late p50 ms",
            "p99 ms",
            "max ms",
            "dropped",
        ],
    );
    let room = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = usize::try_from(room.saturating_sub(SPARE) / 2).unwrap_or(usize::MAX);
    let mut wanted: Vec<usize> = context.held.iter().map(|held| *held.min(&room)).collect();
    wanted.dedup();
    for held in wanted {
        let get = request("GET", "/held/hang", "", b"");
        let post = request("POST", "/held/hang", "", &BODY);
        for (name, message) in [("GET", get), ("POST 1 KiB", post)] {
            one(context, &mut section, name, held, message).await?;
        }
    }
    Ok(section)
}

async fn one(
    context: &Context,
    section: &mut Section,
    name: &str,
    held: usize,
    message: Vec<u8>,
) -> Result<()> {
    let program = context
        .raincheck
        .as_ref()
        .context("this suite measures raincheck")?;
    let ports = held.div_ceil(PER_PORT);
    let mut backends = Vec::new();
    for _ in 0..ports {
        backends.push(Noop::start().await?);
    }
    let home = Home::listening(
        &context.data,
        &format!("{:?}", vec!["127.0.0.1:0"; ports]),
        &config(held, &backends),
    )?;
    let mut gateway = home.start(program).await?;
    let before = gateway.process.usage()?.resident;
    let crowd = Crowd::new(&gateway, message)?;
    let local = LocalSet::new();
    for number in 0..held {
        local.spawn_local(crowd.clone().client(number));
    }
    let resident = local.run_until(crowd.watch(&gateway, held)).await?;
    local.await;
    let after = gateway.process.usage()?.resident;
    ensure!(!gateway.process.ended(), "raincheck has ended");
    let each = |now: u64| (now.saturating_sub(before)) as f64 / held as f64 / 1024.0;
    let lateness = crowd.late.borrow();
    let late = |quantile: f64| lateness.value_at_quantile(quantile) as f64 / 1e3;
    let dropped = held as u64 - lateness.len();
    section.row([
        name.to_owned(),
        held.to_string(),
        number(mebibytes(before)),
        number(mebibytes(resident)),
        number(each(resident)),
        number(each(after)),
        number(late(0.5)),
        number(late(0.99)),
        number(late(1.0)),
        dropped.to_string(),
    ]);
    let of = format!("{name}, {held} held");
    section.at_most(&format!("memory each, {of}"), 16.0, each(resident), " KiB");
    section.at_most(&format!("latest ticket, {of}"), 250.0, late(1.0), " ms");
    section.at_most(&format!("dropped, {of}"), 0.0, dropped as f64, "");
    Ok(())
}

fn config(held: usize, backends: &[Noop]) -> String {
    let servers: Vec<String> = backends
        .iter()
        .map(|backend| format!("\"http://{}\"", backend.address))
        .collect();
    let room = held + 100;
    format!(
        "[limits]\nrequests = {room}\nconcurrency = {room}\n\
         [[upstream]]\nname = \"backend\"\nservers = [{}]\nconnections = {room}\n\
         [[route]]\nname = \"held\"\nmatch = \"/held/{{*rest}}\"\nupstream = \"backend\"\n\
         hold = \"{}s\"\nconcurrency = {room}\n",
        servers.join(", "),
        HOLD.as_secs()
    )
}

/// The clients, and what became of them.
#[derive(Clone)]
struct Crowd {
    addresses: Rc<[SocketAddr]>,
    message: Rc<[u8]>,
    opening: Rc<Semaphore>,
    /// Those that have sent their request.
    sent: Rc<Cell<usize>>,
    /// Lateness of tickets, in microseconds.
    late: Rc<RefCell<Histogram<u64>>>,
}

impl Crowd {
    fn new(gateway: &Gateway, message: Vec<u8>) -> Result<Self> {
        Ok(Self {
            addresses: gateway.listeners.clone().into(),
            message: message.into(),
            opening: Rc::new(Semaphore::new(OPENING)),
            sent: Rc::default(),
            late: Rc::new(RefCell::new(Histogram::new_with_bounds(1, 600_000_000, 3)?)),
        })
    }

    /// One client. One that gets no ticket counts as dropped.
    async fn client(self, number: usize) {
        let address = self.addresses[number % self.addresses.len()];
        if let Ok(late) = tokio::time::timeout(GIVE_UP, self.ticket(address)).await
            && let Ok(late) = late
        {
            let micros = late.as_micros() as u64;
            self.late.borrow_mut().saturating_record(micros);
        }
    }

    /// How late its ticket was.
    async fn ticket(&self, address: SocketAddr) -> Result<Duration> {
        let turn = self.opening.acquire().await?;
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&self.message).await?;
        let end = Instant::now() + HOLD;
        self.sent.set(self.sent.get() + 1);
        drop(turn);
        let mut head = Vec::new();
        while memmem::find(&head, b"\r\n\r\n").is_none() {
            ensure!(stream.read_buf(&mut head).await? > 0, "no ticket");
        }
        let late = Instant::now().saturating_duration_since(end);
        ensure!(head.starts_with(b"HTTP/1.1 202 "), "no ticket");
        Ok(late)
    }

    /// Resident memory at its highest while all are held.
    async fn watch(&self, gateway: &Gateway, held: usize) -> Result<u64> {
        let begun = Instant::now();
        let mut resident = 0;
        while begun.elapsed() < HOLD - Duration::from_millis(500) {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.sent.get() == held {
                resident = resident.max(gateway.process.usage()?.resident);
            }
        }
        ensure!(resident > 0, "it took too long to open {held} connections");
        Ok(resident)
    }
}
