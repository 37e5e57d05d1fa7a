//! A backend that does exactly what a script says, and remembers exactly what it saw.
//!
//! It is TCP and nothing else: a script can answer early, cut, reset, lie about lengths or never
//! answer, none of which an HTTP library would do.

mod log;
mod run;
mod script;
mod unreachable;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use log::Seen;
pub use script::{Script, answer};
pub use unreachable::{Down, Full};

use crate::bound::{Must, within};
use crate::event::Event;
use log::Log;

/// Decides, by what the head of a request says, how it is served.
pub(crate) type Handler = Arc<dyn Fn(&Seen) -> Script + Send + Sync>;

/// A scripted backend on a port of its own. Dropping it closes everything.
#[derive(Debug)]
pub struct Backend {
    addr: SocketAddr,
    log: Log,
    _tasks: JoinSet<()>,
}

impl Backend {
    /// Serves each request by the script that `handler` gives for its head.
    pub async fn start(handler: impl Fn(&Seen) -> Script + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .must("a port for the backend");
        Self::on(listener, handler)
    }

    /// The same on a listener that the caller has bound.
    pub fn on(
        listener: TcpListener,
        handler: impl Fn(&Seen) -> Script + Send + Sync + 'static,
    ) -> Self {
        let addr = listener.local_addr().must("the backend's address");
        let log = Log::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run::accept(listener, log.clone(), Arc::new(handler)));
        Self {
            addr,
            log,
            _tasks: tasks,
        }
    }

    /// Serves every request by the same script.
    pub async fn always(script: Script) -> Self {
        Self::start(move |_| script.clone()).await
    }

    /// Serves the first request by the first script, and so on; the last one serves the rest.
    pub async fn in_order(scripts: Vec<Script>) -> Self {
        assert!(!scripts.is_empty(), "a backend needs at least one script");
        Self::start(move |seen| scripts[seen.index.min(scripts.len() - 1)].clone()).await
    }

    /// Answers 200 with a JSON document of what it saw: method, target, header lines and body.
    pub async fn echo() -> Self {
        Self::always(Script::new().echo()).await
    }

    /// Answers 200 `done` as soon as `gate` has fired.
    pub async fn slow(gate: &Event) -> Self {
        Self::always(Script::new().wait(gate).ok("done")).await
    }

    /// Answers 200 with `len` bytes of the pattern.
    pub async fn bytes(len: u64) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\n\r\n");
        Self::always(Script::new().send(head).pattern(len)).await
    }

    /// Reads requests and never answers them.
    pub async fn silent() -> Self {
        Self::always(Script::new().until_closed()).await
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its address as a URL, without a path.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// How many request heads it has seen.
    #[must_use]
    pub fn count(&self) -> usize {
        self.log.read(|seen| seen.len())
    }

    /// How many connections it has accepted.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.log.connections()
    }

    /// Everything it has seen.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.log.read(<[Seen]>::to_vec)
    }

    /// The requests that belong to one job.
    #[must_use]
    pub fn requests_of(&self, job: &str) -> Vec<Seen> {
        let mut requests = self.requests();
        requests.retain(|seen| seen.job_id().as_deref() == Some(job));
        requests
    }

    /// The only request it has seen.
    ///
    /// # Panics
    /// When it was not exactly one.
    #[must_use]
    pub fn only(&self) -> Seen {
        let requests = self.requests();
        assert_eq!(
            requests.len(),
            1,
            "exactly one request should have reached the backend"
        );
        requests.into_iter().next().must("the only request")
    }

    /// Waits until it has seen `count` request heads.
    pub async fn wait_for(&self, count: usize) {
        let what = format!("{count} requests at the backend");
        within(&what, self.log.until(|seen| seen.len() >= count)).await;
    }

    /// Waits until the body of the request with this number (from 0) has ended, and returns it.
    pub async fn wait_body(&self, index: usize) -> Seen {
        let what = format!("the body of request {index} at the backend");
        let ended = |seen: &[Seen]| seen.get(index).is_some_and(|seen| seen.body_ended());
        within(&what, self.log.until(ended)).await;
        self.requests().swap_remove(index)
    }

    /// Waits until the gateway has closed the connection that carried this request (from 0).
    pub async fn wait_closed(&self, index: usize) {
        let what = format!("the gateway to close the connection of request {index}");
        let closed = |seen: &[Seen]| seen.get(index).is_some_and(|seen| seen.closed);
        within(&what, self.log.until(closed)).await;
    }

    /// Waits until the script of this request (from 0) is through.
    pub async fn wait_served(&self, index: usize) {
        let what = format!("the script of request {index} to end");
        let served = |seen: &[Seen]| seen.get(index).is_some_and(|seen| seen.served);
        within(&what, self.log.until(served)).await;
    }
}
