//! A connection that goes on in another protocol after a `101`.

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use raincheck_core::outcome::Failure;
use tokio::io::{AsyncRead, AsyncWrite};

use super::lease::Lease;
use super::words::{self, Phase};

/// Marks a request that may be answered with `101`, among its extensions. It gets a connection of
/// its own, which no other request uses after it. Only upstreams of HTTP/1.1 can switch.
#[derive(Debug, Clone, Copy)]
pub struct Switches;

/// A connection on which the head of a `101` has come.
pub struct Switching {
    upgrade: OnUpgrade,
    lease: Lease,
}

impl Switching {
    pub(super) fn new(upgrade: OnUpgrade, lease: Lease) -> Self {
        Self { upgrade, lease }
    }

    /// The bytes after the head. There at once.
    ///
    /// # Errors
    /// The connection broke in this very moment.
    pub async fn stream(self) -> Result<Switched, Failure> {
        let upgraded = self.upgrade.await;
        let upgraded =
            upgraded.map_err(|error| words::broken(&error, &self.lease.conn.link, Phase::Head))?;
        // From here on its end is that of another protocol, and no fault.
        self.lease.conn.link.rest();
        Ok(Switched {
            io: TokioIo::new(upgraded),
            _lease: self.lease,
        })
    }
}

/// The bytes of another protocol, both ways. It counts among the connections of its upstream until
/// it is dropped, which closes it.
pub struct Switched {
    io: TokioIo<Upgraded>,
    _lease: Lease,
}

impl Switched {
    /// What is read and written.
    pub fn io(&mut self) -> &mut (impl AsyncRead + AsyncWrite + Unpin + use<>) {
        &mut self.io
    }
}

impl std::fmt::Debug for Switched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Switched")
    }
}
