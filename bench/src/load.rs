//! The load generator: a closed loop. Each connection sends the next request when it has the answer
//! to the last one. Requests are bytes made beforehand; one thread drives all connections.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::wire::Wire;

/// When a connection that answers nothing is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How much load, and for how long. Both bounds hold: whichever is reached first ends the run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The server.
    pub address: SocketAddr,
    /// Connections at the same time.
    pub connections: usize,
    /// Units of work at most.
    pub count: u64,
    /// Time at most.
    pub time: Duration,
}

/// What a run of load gave.
#[derive(Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Latencies in nanoseconds.
    pub latency: Histogram<u64>,
    /// How often each status came.
    pub statuses: BTreeMap<u16, u64>,
    /// Units of work that failed, and the first reason.
    pub errors: u64,
    /// Why the first of them failed.
    pub first_error: Option<String>,
}

impl Outcome {
    fn new() -> Result<Self> {
        Ok(Self {
            elapsed: Duration::ZERO,
            latency: Histogram::new_with_bounds(1_000, 600_000_000_000, 3)?,
            statuses: BTreeMap::new(),
            errors: 0,
            first_error: None,
        })
    }

    /// Units of work done.
    pub fn done(&self) -> u64 {
        self.latency.len()
    }

    /// Units of work per second.
    pub fn rate(&self) -> f64 {
        self.done() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// A quantile of the latency in milliseconds.
    pub fn millis(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1e6
    }

    /// Fails unless every answer had this status: figures of errors mean nothing.
    pub fn expect(&self, status: u16) -> Result<()> {
        let right = self.statuses.get(&status).copied().unwrap_or(0);
        if self.errors > 0 || right == 0 || right != self.done() {
            bail!(
                "{} of {} answers were {status}; statuses {:?}, errors {}: {}",
                right,
                self.done(),
                self.statuses,
                self.errors,
                self.first_error.as_deref().unwrap_or("none"),
            );
        }
        Ok(())
    }

    fn note(&mut self, result: Result<u16>, took: Duration) {
        match result {
            Ok(status) => {
                *self.statuses.entry(status).or_default() += 1;
                self.latency.saturating_record(took.as_nanos() as u64);
            }
            Err(error) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("{error:#}"));
            }
        }
    }
}

/// One keep-alive connection to a server.
#[derive(Debug)]
pub struct Client {
    address: SocketAddr,
    wire: Option<Wire>,
    body: Vec<u8>,
}

impl Client {
    /// A client that connects at its first call.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            wire: None,
            body: Vec::new(),
        }
    }

    /// Sends a request and reads the whole answer; keeps its body only when asked.
    pub async fn call(&mut self, request: &[u8], keep: bool) -> Result<u16> {
        let answer = tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(request, keep)).await;
        match answer {
            Ok(Ok(status)) => Ok(status),
            Ok(Err(error)) => {
                self.wire = None;
                Err(error)
            }
            Err(_) => {
                self.wire = None;
                bail!("no answer within {ANSWER_TIMEOUT:?}")
            }
        }
    }

    /// A header of the last answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.wire.as_ref()?.header(name)
    }

    /// The body of the last answer, when it was kept.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The connection, opened when there is none.
    pub async fn wire(&mut self) -> Result<&mut Wire> {
        if self.wire.is_none() {
            self.wire = Some(Wire::new(TcpStream::connect(self.address).await?)?);
        }
        self.wire.as_mut().context("a connection")
    }

    async fn exchange(&mut self, request: &[u8], keep: bool) -> Result<u16> {
        self.body.clear();
        let mut body = std::mem::take(&mut self.body);
        let wire = self.wire().await?;
        wire.send(request).await?;
        if !wire.read_head().await? {
            bail!("the server closed the connection");
        }
        let status = wire.status()?;
        let framing = wire.framing()?;
        wire.read_body(framing, keep.then_some(&mut body)).await?;
        let close = wire
            .header("connection")
            .is_some_and(|value| value == "close");
        self.body = body;
        if close {
            bail!("the server asked to close the connection");
        }
        Ok(status)
    }
}

/// A request with a body, as bytes.
pub fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: bench\r\n{headers}").into_bytes();
    if !body.is_empty() || method == "POST" {
        let length = format!("content-length: {}\r\n", body.len());
        bytes.extend_from_slice(length.as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// Sends the same request again and again.
pub async fn repeat(plan: Plan, request: Vec<u8>) -> Result<Outcome> {
    drive(plan, async move |client: &mut Client, _| {
        client.call(&request, false).await
    })
    .await
}

/// Does units of work, numbered from 0, on many connections. Work that fails ends its connection;
/// a connection whose work failed ten times ends.
pub async fn drive<W>(plan: Plan, work: W) -> Result<Outcome>
where
    W: AsyncFn(&mut Client, u64) -> Result<u16> + 'static,
{
    let outcome = Rc::new(RefCell::new(Outcome::new()?));
    let next = Rc::new(RefCell::new(0u64));
    let work = Rc::new(work);
    let started = Instant::now();
    let local = LocalSet::new();
    for _ in 0..plan.connections {
        let (work, next, outcome) = (work.clone(), next.clone(), outcome.clone());
        local.spawn_local(async move {
            let mut client = Client::new(plan.address);
            let mut failures = 0;
            while failures < 10 && started.elapsed() < plan.time {
                let number = next.replace_with(|number| *number + 1);
                if number >= plan.count {
                    break;
                }
                let begun = Instant::now();
                let result = work(&mut client, number).await;
                failures += usize::from(result.is_err());
                outcome.borrow_mut().note(result, begun.elapsed());
            }
        });
    }
    local.await;
    let mut outcome = Rc::into_inner(outcome)
        .context("the connections have ended")?
        .into_inner();
    outcome.elapsed = started.elapsed();
    Ok(outcome)
}
