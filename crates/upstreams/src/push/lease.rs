//! The use of one connection by one exchange: from the pool, and back to it when both the request
//! and the response are wholly through. Every other way out closes the socket.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::conn::Conn;
use super::group::{Place, Server};
use super::host::Host;

/// How long a connection may take to become ready after its response has ended. It is ready at
/// once unless the upstream has stopped taking a request that it has already answered.
const SETTLE: Duration = Duration::from_millis(100);

/// A connection in use.
pub(super) struct Lease {
    pub(super) conn: Box<Conn>,
    pub(super) host: Arc<Host>,
    /// The right to one of the upstream's connections, where they are bounded.
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// The place at a server of a group; boxed, as most have none.
    pub(super) place: Option<Box<Place>>,
}

/// The place that an exchange takes at a server of a group.
pub(super) fn place(server: Option<&Arc<Server>>) -> Option<Box<Place>> {
    server.map(|server| Box::new(Place::taken(server)))
}

impl Lease {
    /// The response has ended cleanly: keeps the connection for the next exchange, if the upstream
    /// keeps it too.
    pub(super) fn finish(mut self, upstream_keeps: bool) {
        if !self.conn.link.is_request_taken() {
            return;
        }
        if self.conn.sender.is_ready() {
            self.rest(upstream_keeps);
            return;
        }
        if !upstream_keeps || self.conn.sender.is_closed() {
            return;
        }
        tokio::spawn(async move {
            if let Ok(Ok(())) = timeout(SETTLE, self.conn.sender.ready()).await {
                self.rest(true);
            }
        });
    }

    fn rest(self, keep: bool) {
        let Self {
            conn,
            host,
            permit,
            place,
        } = self;
        conn.link.rest();
        if keep {
            host.put(conn);
        }
        // Only now, so that whoever waits finds the connection.
        drop((permit, place));
    }
}
