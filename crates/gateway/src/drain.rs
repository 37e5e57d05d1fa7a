//! How a server tells its connections to finish, and later to stop.

use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;
use tokio_util::sync::CancellationToken;

/// What a server wants of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    /// Go on.
    Serve,
    /// Finish what is in flight, take nothing new.
    Drain,
    /// Stop now.
    Cut,
}

/// A wish that only moves forward. Reading it is one relaxed load, as every connection does so
/// each time it is polled.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    wish: AtomicU8,
    changed: Notify,
    /// The first change, for those who outlive the borrow.
    leaving: CancellationToken,
}

impl Switch {
    /// The present wish.
    pub(crate) fn wish(&self) -> Wish {
        match self.wish.load(Ordering::Acquire) {
            0 => Wish::Serve,
            1 => Wish::Drain,
            _ => Wish::Cut,
        }
    }

    /// Asks connections to finish.
    pub(crate) fn drain(&self) {
        self.raise(Wish::Drain);
    }

    /// Asks connections to stop.
    pub(crate) fn cut(&self) {
        self.raise(Wish::Cut);
    }

    /// Resolves at the next change after the returned future is first polled. Look at
    /// [`Switch::wish`] after that first poll, so that no change is missed. Cancel safe.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Cancelled when the wish is first raised.
    pub(crate) fn leaving(&self) -> CancellationToken {
        self.leaving.clone()
    }

    /// Waits until the wish is at least this one. Cancel safe.
    pub(crate) async fn reached(&self, wish: Wish) {
        loop {
            let mut changed = std::pin::pin!(self.changed());
            changed.as_mut().enable();
            if self.wish() >= wish {
                return;
            }
            changed.await;
        }
    }

    fn raise(&self, wish: Wish) {
        self.wish.fetch_max(wish as u8, Ordering::AcqRel);
        self.changed.notify_waiters();
        self.leaving.cancel();
    }
}
