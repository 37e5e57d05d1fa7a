//! The real binary: started on free ports with a data directory of its own, watched, signalled,
//! killed, and started again on the same data.

mod child;
mod config;
mod proc;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

pub use child::{Child, Exit};
pub use config::Config;
pub use proc::{memory_now, memory_peak, sockets, sockets_to};

use crate::bound::{Must, within};
use crate::raw::{Client, Response};
use crate::request::Request;

/// Where the binary under test is.
///
/// # Panics
/// When it has not been built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RAINCHECK_BIN") {
        return path.into();
    }
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .must("the workspace root");
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |dir| workspace.join(dir));
    let built = ["debug", "release"].map(|profile| target.join(profile).join("raincheck"));
    match built.into_iter().find(|path| path.is_file()) {
        Some(path) => path,
        None => panic!("there is no raincheck binary: run `cargo build -p raincheck` first"),
    }
}

/// The Python that has the packages which tests use: named by `cargo xtask test`, which installs it.
#[must_use]
pub fn python() -> PathBuf {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/test-venv/bin/python3");
    let python = std::env::var_os("RAINCHECK_TEST_PYTHON").map_or(beside, Into::into);
    assert!(
        python.exists(),
        "no Python for tests: run `cargo xtask e2e`, which installs it"
    );
    python
}

/// Where Node finds the packages which tests use, named in the same way.
#[must_use]
pub fn node_modules() -> PathBuf {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/test-node/node_modules");
    let modules = std::env::var_os("RAINCHECK_TEST_NODE_MODULES").map_or(beside, Into::into);
    assert!(
        modules.exists(),
        "no Node packages for tests: run `cargo xtask e2e`, which installs them"
    );
    modules
}

/// A command that runs the binary without any setting from the environment of the tests.
#[must_use]
pub fn command() -> Command {
    clean(Command::new(binary()))
}

/// Where the binary runs: nobody can make a file here, so that what it puts into its working
/// directory fails the test that lets it, and no other one finds it there.
const NOWHERE: &str = "/proc";

fn clean(mut command: Command) -> Command {
    command.current_dir(NOWHERE);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RAINCHECK_") {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1");
    command
}

/// Runs the binary with these arguments until it ends by itself.
pub async fn run(args: &[&str]) -> Exit {
    let mut command = command();
    command.args(args);
    Child::spawn(command).exited().await
}

/// A directory with a config file and a data directory, which outlives the process.
#[derive(Debug)]
pub struct Home {
    dir: TempDir,
}

impl Home {
    /// A new directory with this config.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let home = Self {
            dir: TempDir::new().must("a temporary directory"),
        };
        home.configure(config);
        home
    }

    /// A new directory in another place than the machine's own for temporary files.
    #[must_use]
    pub fn within(place: &Path, config: &Config) -> Self {
        let home = Self {
            dir: TempDir::new_in(place).must("a temporary directory"),
        };
        home.configure(config);
        home
    }

    /// A new directory with a config file of exactly this text.
    #[must_use]
    pub fn with_text(config: &str) -> Self {
        let home = Self {
            dir: TempDir::new().must("a temporary directory"),
        };
        std::fs::write(home.config(), config).must("writing the config");
        home
    }

    /// Replaces the config.
    pub fn configure(&self, config: &Config) {
        std::fs::write(self.config(), config.text(&self.data())).must("writing the config");
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The config file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.path().join("raincheck.toml")
    }

    /// The data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// `serve` on this config, under another program (such as strace) if there is one.
    #[must_use]
    pub fn serve(&self, under: &[&str]) -> Command {
        let mut command = match under.split_first() {
            None => command(),
            Some((program, args)) => {
                let mut command = clean(Command::new(program));
                command.args(args).arg(binary());
                command
            }
        };
        command.args(["serve", "--json", "-c"]).arg(self.config());
        command
    }
}

/// A running gateway.
#[derive(Debug)]
pub struct Raincheck {
    /// Its files.
    pub home: Home,
    /// Its process.
    pub child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
}

impl Raincheck {
    /// Starts with this config and waits until it is ready.
    pub async fn start(config: &Config) -> Self {
        Self::start_in(Home::new(config)).await
    }

    /// Starts on existing files.
    pub async fn start_in(home: Home) -> Self {
        Self::start_under(home, &[]).await
    }

    /// Starts under another program, such as strace.
    pub async fn start_under(home: Home, under: &[&str]) -> Self {
        let child = Child::spawn(home.serve(under));
        let (listen, admin) = ready(&child).await;
        Self {
            home,
            child,
            listen,
            admin,
        }
    }

    /// Starts on existing files with a command that was changed; none, with how it ended, if it ends
    /// before it is ready.
    pub async fn try_start(
        home: Home,
        change: impl FnOnce(&mut Command),
    ) -> Result<Self, (Home, Exit)> {
        let mut command = home.serve(&[]);
        change(&mut command);
        let child = Child::spawn(command);
        match child.try_line_with("\"ready\"").await {
            Some(line) => {
                let (listen, admin) = addresses(&line);
                Ok(Self {
                    home,
                    child,
                    listen,
                    admin,
                })
            }
            None => {
                let exit = child.exited().await;
                Err((home, exit))
            }
        }
    }

    /// Starts again on the same files; what still runs is killed first.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.child = Child::spawn(self.home.serve(&[]));
        (self.listen, self.admin) = ready(&self.child).await;
    }

    /// `kill -9`, and waits until the process is gone.
    pub async fn kill(&mut self) {
        self.child.signal(Signal::KILL);
        self.child.exited().await;
    }

    /// Asks it to stop.
    pub fn terminate(&self) {
        self.child.signal(Signal::TERM);
    }

    /// The public listener.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.listen
    }

    /// The admin listener.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin
    }

    /// A raw connection to the public listener.
    pub async fn client(&self) -> Client {
        Client::connect(self.listen).await
    }

    /// A request to the public listener.
    #[must_use]
    pub fn request(&self, method: &str, target: &str) -> Request {
        Request::new(self.listen, method, target)
    }

    /// A request to the admin listener.
    #[must_use]
    pub fn admin(&self, method: &str, target: &str) -> Request {
        Request::new(self.admin, method, target)
    }

    /// GET on the public listener.
    pub async fn get(&self, target: &str) -> Response {
        self.request("GET", target).send().await
    }

    /// POST with a body on the public listener.
    pub async fn post(&self, target: &str, body: &str) -> Response {
        self.request("POST", target).body(body).send().await
    }

    /// Waits until the metrics have this line: some are written behind the answer that they count.
    ///
    /// # Panics
    /// When it does not come in time.
    pub async fn counted(&self, line: &str) {
        within(line, async {
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            let is_told = |text: String| text.lines().any(|own| own == line);
            while !is_told(self.admin("GET", "/metrics").send().await.text()) {
                tick.tick().await;
            }
        })
        .await;
    }

    /// Resident memory in bytes, the highest so far.
    #[must_use]
    pub fn memory_peak(&self) -> u64 {
        memory_peak(self.child.pid())
    }

    /// How many sockets it has open.
    #[must_use]
    pub fn sockets(&self) -> usize {
        sockets(self.child.pid())
    }

    /// How many of them are connections to this address.
    #[must_use]
    pub fn sockets_to(&self, peer: SocketAddr) -> usize {
        sockets_to(self.child.pid(), peer)
    }
}

async fn ready(child: &Child) -> (SocketAddr, SocketAddr) {
    addresses(&child.line_with("\"ready\"").await)
}

fn addresses(line: &str) -> (SocketAddr, SocketAddr) {
    let event: Value = serde_json::from_str(line).must("the ready line as JSON");
    let addr = |name: &str| {
        let text = event[name].as_str().must(&format!("`{name}` in {line}"));
        text.parse().must("an address")
    };
    (addr("listen"), addr("admin"))
}
