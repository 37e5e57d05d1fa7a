//! Connections on their way to the successor, and the wait until the last has left.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use super::channel::Channel;

/// How long the last connections may take to leave. A successor that reads takes milliseconds.
const LAST: Duration = Duration::from_secs(2);

/// Counts the connections that were given and have not left.
#[derive(Debug, Clone, Default)]
pub struct Passage {
    waiting: Arc<watch::Sender<usize>>,
}

/// Takes connections for the successor.
#[derive(Clone)]
pub struct Way {
    given: Sender<(String, OwnedFd)>,
    passage: Passage,
}

impl Passage {
    /// A way to the successor at the other end of the channel. Sending may block, so that a thread
    /// does it; it ends when the last connection of this process has ended.
    pub fn open(&self, through: Arc<Channel>) -> Way {
        let (given, gives) = channel::<(String, OwnedFd)>();
        let passage = self.clone();
        std::thread::spawn(move || {
            while let Ok((listener, socket)) = gives.recv() {
                let says = json!({ "kind": "connection", "listener": listener });
                if let Err(error) = through.say(&says, Some(socket.as_fd())) {
                    tracing::debug!(%error, "a connection could not be passed on");
                }
                passage.count(|waiting| waiting.saturating_sub(1));
            }
        });
        Way {
            given,
            passage: self.clone(),
        }
    }

    /// Waits until all that was given has left; a process that ended before took its last
    /// connections with it. Ends after two seconds at the latest. Cancel safe.
    pub async fn passed(&self) {
        let mut waiting = self.waiting.subscribe();
        let none = waiting.wait_for(|waiting| *waiting == 0);
        if tokio::time::timeout(LAST, none).await.is_err() {
            tracing::warn!("the new process does not take the last connections; they are closed");
        }
    }

    fn count(&self, change: impl Fn(usize) -> usize) {
        self.waiting
            .send_modify(|waiting| *waiting = change(*waiting));
    }
}

impl Way {
    /// Passes on a connection that came in at this listener. Does not wait.
    pub fn give(&self, listener: String, socket: OwnedFd) {
        self.passage.count(|waiting| waiting.saturating_add(1));
        if self.given.send((listener, socket)).is_err() {
            self.passage.count(|waiting| waiting.saturating_sub(1));
        }
    }
}
