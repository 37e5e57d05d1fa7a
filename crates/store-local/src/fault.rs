//! Whether the engine still takes changes. Once it does not, it never will again: after a failed
//! sync the kernel may report success for pages it has dropped (ATC'20), so only a new process that
//! reads the disk anew knows what survived.

use raincheck_store as store;
use tokio::sync::watch;

/// The switch that is thrown once.
#[derive(Debug)]
pub(crate) struct Fault {
    reason: watch::Sender<Option<String>>,
}

impl Fault {
    pub(crate) fn new() -> Self {
        Self {
            reason: watch::Sender::new(None),
        }
    }

    /// Stops everything for this reason; the first one stands.
    pub(crate) fn raise(&self, reason: &str) {
        self.reason.send_if_modified(|standing| {
            if standing.is_some() {
                return false;
            }
            tracing::error!(reason, "the store has stopped taking changes");
            *standing = Some(reason.to_owned());
            true
        });
    }

    /// Why the engine has stopped, if it has.
    pub(crate) fn reason(&self) -> Option<String> {
        self.reason.borrow().clone()
    }

    /// An error, if the engine has stopped.
    pub(crate) fn check(&self) -> Result<(), store::Error> {
        match &*self.reason.borrow() {
            None => Ok(()),
            Some(reason) => Err(store::Error::Unavailable(reason.clone())),
        }
    }

    /// Resolves when the engine has stopped.
    pub(crate) async fn raised(&self) -> String {
        let mut reason = self.reason.subscribe();
        let raised = reason.wait_for(Option::is_some).await;
        // The sender lives in `self`, so it cannot be gone.
        raised
            .ok()
            .and_then(|reason| reason.clone())
            .unwrap_or_default()
    }
}
