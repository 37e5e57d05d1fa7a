//! Connections that go from one process to the next: who takes them here, and those that came.

use std::collections::VecDeque;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Takes the sockets of connections between two requests. Must not block.
#[derive(Clone)]
pub struct Heir(Arc<dyn Fn(OwnedFd) + Send + Sync>);

impl Heir {
    /// An heir that does this with each socket.
    pub fn new(take: impl Fn(OwnedFd) + Send + Sync + 'static) -> Self {
        Self(Arc::new(take))
    }

    pub(crate) fn take(&self, socket: OwnedFd) {
        (self.0)(socket);
    }
}

impl fmt::Debug for Heir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heir")
    }
}

/// Sockets that came and are not served yet: at most as many as the process before had.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    sockets: Mutex<VecDeque<OwnedFd>>,
    arrived: Notify,
}

impl Inherited {
    pub(crate) fn give(&self, socket: OwnedFd) {
        self.sockets().push_back(socket);
        self.arrived.notify_one();
    }

    pub(crate) fn next(&self) -> Option<OwnedFd> {
        self.sockets().pop_front()
    }

    /// Waits until some came. Cancel safe.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    fn sockets(&self) -> MutexGuard<'_, VecDeque<OwnedFd>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
