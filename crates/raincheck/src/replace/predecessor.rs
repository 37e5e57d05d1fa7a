//! The process that serves and makes way for another.

use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use raincheck_core::limits::CLIENT_LAST_REQUEST_WAIT;
use raincheck_gateway::server::Heir;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::channel::{Channel, Message, PROTOCOL, Post};
use super::{PATIENCE, PAUSE, POST};
use crate::listeners::Served;
use crate::wire::Gateway;

/// How long connections may take to notice that they are handed over: what they read until then is
/// served here, with the store.
const NOTICE: Duration = Duration::from_millis(10);

/// Who wants what of us.
pub enum Call {
    /// Somebody asks that a successor be started; they want to be told how that went.
    Start(Option<Channel>),
    /// A successor is there.
    Successor(Channel),
}

/// Listens for successors, and for those who ask for one.
pub struct Calls {
    calls: mpsc::UnboundedReceiver<Call>,
    asked: Signal,
    post: Arc<Post>,
}

impl Calls {
    /// Begins to listen, in the data directory and for SIGUSR2.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn listen(dir: &Path) -> io::Result<Self> {
        let post = Arc::new(Post::open(dir, POST)?);
        let (told, calls) = mpsc::unbounded_channel();
        let here = Arc::clone(&post);
        std::thread::Builder::new()
            .name("replace".into())
            .spawn(move || answer(&here, &told))?;
        let asked = signal(SignalKind::user_defined2())?;
        Ok(Self { calls, asked, post })
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) -> Call {
        tokio::select! {
            Some(call) = self.calls.recv() => call,
            Some(()) = self.asked.recv() => Call::Start(None),
            else => std::future::pending().await,
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        self.post.close();
    }
}

/// Hears what each caller wants, one after the other.
fn answer(post: &Post, told: &mpsc::UnboundedSender<Call>) {
    while let Ok(channel) = post.accept() {
        let call = match channel.hear(Duration::from_secs(2)) {
            Ok(message) if message.number("protocol") != PROTOCOL => {
                channel.refuse("it speaks another protocol of replacement: stop it and start anew");
                continue;
            }
            Ok(message) if message.kind() == "start" => Call::Start(Some(channel)),
            Ok(message) if message.kind() == "successor" => Call::Successor(channel),
            _ => continue,
        };
        if told.send(call).is_err() {
            return;
        }
    }
}

/// How this process was started, for its successor.
pub struct Origin {
    program: PathBuf,
    args: Vec<OsString>,
}

impl Origin {
    /// Of this process. To be called at its start: the file may be another one later.
    ///
    /// # Errors
    /// The system does not say what runs.
    pub fn here() -> io::Result<Self> {
        let flag = |arg: &OsString| arg != "--take-over";
        Ok(Self {
            program: std::env::current_exe()?,
            args: std::env::args_os().skip(1).filter(flag).collect(),
        })
    }

    /// Starts a successor; `who` asked for it, and is told if it ends before it serves. A later
    /// word to them is one too many, and is not heard.
    ///
    /// # Errors
    /// The program is not there, or does not run.
    pub fn start_successor(&self, who: Option<Arc<Channel>>) -> io::Result<u32> {
        let mut command = Command::new(&self.program);
        command.args(&self.args).arg("--take-over");
        let mut child = command.spawn()?;
        let pid = child.id();
        std::thread::spawn(move || {
            let how = match child.wait() {
                Ok(status) => format!("the new process ended too early: {status}"),
                Err(error) => format!("the new process cannot be watched: {error}"),
            };
            if let Some(who) = who {
                who.refuse(&how);
            }
        });
        Ok(pid)
    }
}

/// What became of a replacement.
pub enum Outcome {
    /// The successor, with this process id, serves.
    Replaced(u64),
    /// The successor went before it had anything: we go on as if nothing had been.
    Kept(String),
    /// The successor went when it already had the store: it must be opened again.
    Orphaned(String),
}

/// Makes way for a successor. Dropped before the store is closed, as by a signal to stop, it leaves
/// a gateway that rests.
pub async fn make_way(gateway: &Gateway, channel: Channel, grace: Duration) -> Outcome {
    // What is passed on must be what serves.
    gateway.listeners.freeze("another process takes over");
    let outcome = pass_on(gateway, channel, grace).await;
    if let Outcome::Kept(_) = &outcome {
        gateway.listeners.thaw();
    }
    outcome
}

async fn pass_on(gateway: &Gateway, channel: Channel, grace: Duration) -> Outcome {
    let channel = Arc::new(channel);
    let shown = async {
        let served = gateway.listeners.served()?;
        let prepared = show(&channel, &served).await?;
        io::Result::Ok((served, prepared))
    };
    let (served, prepared) = match shown.await {
        Ok(shown) => shown,
        Err(error) => {
            let why = format!("the new process did not get ready: {error}");
            tracing::error!(%why, "not replaced");
            return Outcome::Kept(why);
        }
    };
    let pid = prepared.number("pid");
    tracing::info!(
        pid,
        "another process takes over; attempts of jobs may end first"
    );
    let mut answer = hear(&channel, PATIENCE + grace);
    gateway.runner.rest();
    let running = tokio::select! {
        running = gateway.runner.settled(grace) => running,
        gone = &mut answer => {
            gateway.runner.resume();
            let why = format!("the new process has gone: {}", silence(gone));
            tracing::error!(%why, "not replaced");
            return Outcome::Kept(why);
        }
    };
    let since = Instant::now();
    // Attempts that did not end within the grace period will not end within the pause either.
    let patience = if running == 0 { PAUSE } else { PAUSE / 10 };
    let gone = cut(gateway, served, &channel, patience).await;
    if let Err(error) = &gone {
        tracing::error!(%error, "the store did not close cleanly");
    }
    let told = {
        let channel = Arc::clone(&channel);
        blocking(move || channel.say(&json!({ "kind": "yours" }), None)).await
    };
    let answered = match told {
        Ok(()) => answer
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(error),
    };
    match answered {
        Ok(message) if message.kind() == "serving" => {
            tracing::info!(pid, running, pause = ?since.elapsed(), "replaced; what is relayed here goes on to its end");
            Outcome::Replaced(pid)
        }
        other => {
            let why = format!(
                "the new process failed with the store: {}",
                silence(Ok(other))
            );
            tracing::error!(%why, "not replaced");
            Outcome::Orphaned(why)
        }
    }
}

/// Shows the listeners, and waits until the successor is ready for them.
async fn show(channel: &Arc<Channel>, served: &[Served]) -> io::Result<Message> {
    for one in served {
        let says = json!({ "kind": "listener", "name": one.name });
        channel.say(&says, Some(one.bound.as_fd()))?;
    }
    channel.say(&json!({ "kind": "all" }), None)?;
    let channel = Arc::clone(channel);
    blocking(move || channel.expect("prepared", PATIENCE)).await
}

/// Stops accepting, passes on idle connections, and lets go of the store.
async fn cut(
    gateway: &Gateway,
    served: Vec<Served>,
    channel: &Arc<Channel>,
    patience: Duration,
) -> Result<(), raincheck_store::Error> {
    let way = gateway.passage.open(Arc::clone(channel));
    let hand_over = |secure: bool| {
        for one in served.iter().filter(|one| one.server.is_secure() == secure) {
            let (way, name) = (way.clone(), one.name.clone());
            let heir = Heir::new(move |socket| way.give(name.clone(), socket));
            one.server.hand_over(heir);
        }
    };
    // TLS cannot be passed on: its clients get a moment for a last request, while that can still be
    // served in every mode.
    hand_over(true);
    let open = |one: &Served| one.server.is_secure() && one.server.connections() > 0;
    if served.iter().any(open) {
        tokio::time::sleep(CLIENT_LAST_REQUEST_WAIT).await;
    }
    hand_over(false);
    drop(way);
    tokio::time::sleep(NOTICE).await;
    let until = Instant::now() + PAUSE;
    gateway.runner.bequeath(PAUSE).await;
    let left = until.saturating_duration_since(Instant::now());
    let drained = gateway.runner.drain(left.min(patience)).await;
    if drained.handed_back > 0 {
        tracing::info!(
            handed_back = drained.handed_back,
            "attempts that would not end are handed on"
        );
    }
    gateway.store.close().await
}

/// What the other side says next.
fn hear(channel: &Arc<Channel>, patience: Duration) -> oneshot::Receiver<io::Result<Message>> {
    let (told, tells) = oneshot::channel();
    let channel = Arc::clone(channel);
    std::thread::spawn(move || {
        _ = told.send(channel.hear(patience));
    });
    tells
}

/// Why there is no answer, in words.
fn silence(answer: Result<io::Result<Message>, oneshot::error::RecvError>) -> String {
    match answer {
        Ok(Ok(message)) => format!("{} {}", message.kind(), message.text("why")),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}
