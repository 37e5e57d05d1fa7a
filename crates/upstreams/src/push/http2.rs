//! HTTP/2: many exchanges on few connections.
//!
//! A connection takes as many streams as its peer allows; the next exchange opens another one. It
//! is used only after its peer's SETTINGS came: until then nobody knows the limit, nor whether
//! HTTP/2 is spoken at all. An exchange that is dropped resets its stream and nothing else.

mod connection;
mod send;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use raincheck_core::outcome::Failure;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::host::Host;
use super::pool::Upstreams;
use super::socket::Socket;
use super::words;
use connection::Connection;
pub(super) use send::{InStream, send, unfitted};

/// The HTTP/2 connections to one upstream.
pub(super) struct Http2 {
    connections: Mutex<Vec<Arc<Connection>>>,
    /// One connection is opened at a time: it may take all who wait.
    opening: tokio::sync::Mutex<()>,
    /// Rung when a stream has ended.
    freed: Arc<Notify>,
    /// Connections at most; none: no limit.
    max: Option<usize>,
    max_age: Option<Duration>,
}

/// The right to have one stream on a connection; given back when dropped.
pub(super) struct Place {
    connection: Arc<Connection>,
    freed: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.give();
        self.freed.notify_one();
    }
}

impl Http2 {
    pub(super) fn new(max: Option<usize>, max_age: Option<Duration>) -> Self {
        Self {
            connections: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
            freed: Arc::default(),
            max,
            max_age,
        }
    }

    /// A place on a connection: on one that is there, on a new one, or the next that is free.
    async fn place(
        &self,
        pool: &Upstreams,
        host: &Host,
        within: Duration,
    ) -> Result<Place, Failure> {
        if let Some(place) = self.take() {
            return Ok(place);
        }
        let found = timeout(within, self.find(pool, host, within)).await;
        found.unwrap_or_else(|_| Err(words::all_busy(&host.upstream, within)))
    }

    async fn find(
        &self,
        pool: &Upstreams,
        host: &Host,
        within: Duration,
    ) -> Result<Place, Failure> {
        loop {
            let freed = self.freed.notified();
            let opening = self.opening.lock().await;
            if let Some(place) = self.take() {
                return Ok(place);
            }
            if self.max.is_none_or(|max| self.lock().len() < max) {
                let socket = pool.connect(host, within).await?;
                if let Some(agreed) = &host.agreed
                    && !socket.agreed_on_http2()
                {
                    agreed.learn(false);
                    return Err(words::changed_its_mind());
                }
                self.begin(socket).await?;
                if let Some(place) = self.take() {
                    return Ok(place);
                }
                return Err(words::unreachable(
                    "the backend allows no streams".to_owned(),
                ));
            }
            drop(opening);
            freed.await;
        }
    }

    /// Begins a connection that others may use.
    pub(super) async fn begin(&self, socket: Socket) -> Result<(), Failure> {
        let connection = Connection::start(socket).await?;
        self.lock().push(Arc::new(connection));
        Ok(())
    }

    /// A place on the first connection that has one.
    fn take(&self) -> Option<Place> {
        let mut connections = self.lock();
        let now = Instant::now();
        connections.retain(|one| one.is_open() && !one.is_older(self.max_age, now));
        let connection = connections.iter().find(|one| one.take())?;
        Some(Place {
            connection: Arc::clone(connection),
            freed: Arc::clone(&self.freed),
        })
    }

    /// Takes no more exchanges on the connections that are there. Those on them go on.
    pub(super) fn drain(&self) {
        self.lock().clear();
    }

    /// Gives up connections that are closed, too old, or have been idle for too long.
    pub(super) fn sweep(&self, now: Instant, idle_timeout: Duration) {
        self.lock().retain(|one| {
            one.is_open() && !one.is_older(self.max_age, now) && !one.is_idle(now, idle_timeout)
        });
    }

    /// How many connections have no stream.
    pub(super) fn idle(&self) -> usize {
        self.lock().iter().filter(|one| one.streams() == 0).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Connection>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
