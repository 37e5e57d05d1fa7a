//! The process that takes the place of another.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use raincheck_gateway::server::Bound;
use raincheck_store_local::OpenError;
use serde_json::json;

use super::channel::{Channel, FOR_EVER, PROTOCOL};
use super::{PATIENCE, POST};
use crate::listeners::Served;
use crate::wire::{self, Opened};

/// How long a lock may still be held by a process that has gone.
const LOCK: Duration = Duration::from_secs(10);

/// The process before us, which still serves.
pub struct Predecessor {
    channel: Channel,
    /// Its listeners by what its config calls them.
    pub listeners: Vec<(String, Bound)>,
    /// Connections that came before we could serve them, with their listener's name.
    connections: Vec<(String, OwnedFd)>,
}

impl Predecessor {
    /// Calls the process that serves from this data directory, if there is one, and takes its
    /// listeners. Blocks.
    ///
    /// # Errors
    /// It refuses, or does not answer.
    pub fn call(dir: &Path) -> io::Result<Option<Self>> {
        let Ok(channel) = Channel::call(dir, POST) else {
            return Ok(None);
        };
        let hello = json!({ "kind": "successor", "protocol": PROTOCOL });
        channel.say(&hello, None)?;
        let mut listeners = Vec::new();
        loop {
            let mut message = channel.hear(PATIENCE)?;
            let socket = message.file.take();
            match (message.kind(), socket) {
                ("listener", Some(socket)) => {
                    let name = message.text("name").to_owned();
                    listeners.push((name, Bound::from_socket(socket)?));
                }
                ("all", _) => break,
                ("refused", _) => return Err(io::Error::other(message.text("why").to_owned())),
                (other, _) => return Err(io::Error::other(format!("it said {other}"))),
            }
        }
        Ok(Some(Self {
            channel,
            listeners,
            connections: Vec::new(),
        }))
    }

    /// Says that we are ready, waits until the store is ours, and opens it.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub async fn store(mut self, dir: &Path, grace: Duration) -> anyhow::Result<(Self, Opened)> {
        // A process that is stopped meanwhile takes its own grace period.
        let patience = PATIENCE + grace * 2;
        let waiting = tokio::task::spawn_blocking(move || {
            let waited = self.wait(patience);
            (self, waited)
        });
        let (predecessor, waited) = waiting.await?;
        let store = match waited {
            Ok(()) => wire::open(dir)?,
            Err(error) => {
                tracing::warn!(%error, "the process before has gone; its store is taken as it is");
                unlocked(dir).await?
            }
        };
        Ok((predecessor, store))
    }

    fn wait(&mut self, patience: Duration) -> io::Result<()> {
        let ready = json!({ "kind": "prepared", "pid": std::process::id() });
        self.channel.say(&ready, None)?;
        loop {
            let mut message = self.channel.hear(patience)?;
            let socket = message.file.take();
            match (message.kind(), socket) {
                ("yours", _) => return Ok(()),
                ("connection", Some(socket)) => {
                    let listener = message.text("listener").to_owned();
                    self.connections.push((listener, socket));
                }
                (other, _) => return Err(io::Error::other(format!("it said {other}"))),
            }
        }
    }

    /// Says that we serve, and goes on to take connections until there are no more.
    pub fn serve(self, served: &[Served]) {
        let servers = served
            .iter()
            .map(|one| (one.name.clone(), one.server.clone()));
        let servers: Vec<_> = servers.collect();
        // The clients of a listener that is no more are closed.
        let adopt = move |listener: &str, socket| {
            if let Some((_, server)) = servers.iter().find(|(name, _)| name == listener) {
                server.inherit(socket);
            }
        };
        for (listener, socket) in self.connections {
            adopt(&listener, socket);
        }
        if let Err(error) = self.channel.say(&json!({ "kind": "serving" }), None) {
            tracing::warn!(%error, "the process before has gone");
        }
        let channel = self.channel;
        std::thread::spawn(move || {
            // As long as it takes the last exchange there to end.
            while let Ok(mut message) = channel.hear(FOR_EVER) {
                if let Some(socket) = message.file.take() {
                    adopt(message.text("listener"), socket);
                }
            }
        });
    }
}

/// Opens the store of a process that has gone just now, and whose lock may last a moment longer.
async fn unlocked(dir: &Path) -> Result<Opened, OpenError> {
    let mut left = LOCK;
    let pause = Duration::from_millis(20);
    loop {
        match wire::open(dir) {
            Err(OpenError::InUse { .. }) if !left.is_zero() => {
                tokio::time::sleep(pause).await;
                left = left.saturating_sub(pause);
            }
            other => return other,
        }
    }
}
