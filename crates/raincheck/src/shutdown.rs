//! Signals, the grace period, the second signal: how a gateway stops.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

use raincheck_gateway::server::ServerHandle;

use crate::listeners::Role;
use crate::wire::Gateway;

/// Why a gateway stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Somebody asked it to.
    Asked,
    /// Its store takes no changes any more.
    StoreFailed(String),
    /// Another process serves in its place.
    Replaced,
    /// Another process was to, and went with the store closed.
    Orphaned,
}

/// The signals that ask for a stop.
pub struct Signals {
    term: Signal,
    int: Signal,
}

/// How long clients may take to hear that the store has failed.
const FAULT_GRACE: Duration = Duration::from_secs(2);
/// How long before the end of the grace period held clients get their tickets, and how long they
/// may take to read them.
const LAST_CALL: Duration = Duration::from_secs(2);
/// How long the admin listener may take to end, once nothing else runs.
const ADMIN_GRACE: Duration = Duration::from_secs(1);

impl Signals {
    /// Begins to listen for SIGTERM and SIGINT.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.term.recv() => {}
            _ = self.int.recv() => {}
        }
    }
}

impl Gateway {
    /// Waits until there is a reason to stop.
    pub async fn until_stopped(&self, signals: &mut Signals) -> Why {
        tokio::select! {
            why = self.store.faulted() => Why::StoreFailed(why),
            () = signals.next() => Why::Asked,
        }
    }

    /// Stops: no new connections, requests in flight and running attempts finish within `grace`,
    /// the rest is handed back to the next start. A second signal ends the grace period.
    pub async fn stop(self, grace: Duration, why: &Why, signals: &mut Signals) {
        let grace = if *why == Why::Asked {
            grace
        } else {
            grace.min(FAULT_GRACE)
        };
        tracing::info!(grace = ?grace, "stopping; a second signal stops at once");
        let until = Instant::now() + grace;
        self.runner.begin_drain();
        let hurried = tokio::select! {
            () = self.drain_clients(grace) => false,
            () = signals.next() => true,
        };
        self.runner.call_last();
        let left = if hurried {
            Duration::ZERO
        } else {
            until - Instant::now()
        };
        if hurried {
            self.drain_clients(LAST_CALL).await;
        }
        let drained = tokio::select! {
            drained = self.runner.drain(left) => drained,
            () = signals.next() => self.runner.drain(Duration::ZERO).await,
        };
        tracing::info!(
            running = drained.running,
            handed_back = drained.handed_back,
            "attempts are over"
        );
        drain_all(self.listeners.all_servers(Role::Admin), ADMIN_GRACE).await;
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }

    /// After a replacement: what is relayed here goes on to its end, however long that takes; a
    /// signal ends it.
    pub async fn finish(self, signals: &mut Signals) {
        let all = &self.listeners;
        let servers = || {
            [Role::Public, Role::Admin]
                .into_iter()
                .flat_map(|role| all.all_servers(role))
        };
        tokio::select! {
            () = drain_all(servers(), Duration::MAX) => {}
            () = signals.next() => drain_all(servers(), LAST_CALL).await,
        }
        self.passage.passed().await;
        tracing::info!("the last exchange of the replaced process is over");
    }

    /// Lets requests in flight finish; held clients get their tickets before the end of `grace`.
    async fn drain_clients(&self, grace: Duration) {
        let early = grace.saturating_sub(LAST_CALL.min(grace / 2));
        let call = async {
            tokio::time::sleep(early).await;
            self.runner.call_last();
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.drain_servers(grace) => {}
            () = call => {}
        }
    }

    async fn drain_servers(&self, grace: Duration) {
        drain_all(self.listeners.all_servers(Role::Public), grace).await;
    }
}

/// Drains servers side by side.
async fn drain_all(servers: impl IntoIterator<Item = ServerHandle>, grace: Duration) {
    let mut drains = tokio::task::JoinSet::new();
    for server in servers {
        drains.spawn(async move { server.drain(grace).await });
    }
    while let Some(report) = drains.join_next().await {
        if let Ok(report) = report
            && report.cut > 0
        {
            tracing::warn!(
                cut = report.cut,
                "connections closed with a request in flight"
            );
        }
    }
}
