//! The backends people use, and how each says which requests it understood.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use raincheck_e2e::corpus::{self, Case, unmark};
use raincheck_e2e::process::Child;
use raincheck_e2e::request::Request;
use raincheck_e2e::{Client, Must, until, within};
use rustix::process::Signal;
use tokio::task::JoinSet;

/// How long a backend may wait for more of a case before that is taken for its verdict.
const PATIENCE: Duration = Duration::from_secs(2);

/// A backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Node,
    Gunicorn,
    UvicornH11,
    UvicornHttptools,
    Aiohttp,
    AiohttpPython,
    Waitress,
    Tornado,
    Nginx,
    Apache,
}

impl Kind {
    pub const ALL: [Self; 10] = [
        Self::Node,
        Self::Gunicorn,
        Self::UvicornH11,
        Self::UvicornHttptools,
        Self::Aiohttp,
        Self::AiohttpPython,
        Self::Waitress,
        Self::Tornado,
        Self::Nginx,
        Self::Apache,
    ];

    /// Whether its answers say what it saw. The others only log it.
    pub fn tells(self) -> bool {
        !matches!(self, Self::Nginx | Self::Apache)
    }

    /// What the docs call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Gunicorn => "gunicorn",
            Self::UvicornH11 => "uvicorn h11",
            Self::UvicornHttptools => "uvicorn httptools",
            Self::Aiohttp => "aiohttp",
            Self::AiohttpPython => "aiohttp, pure Python",
            Self::Waitress => "waitress",
            Self::Tornado => "tornado",
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
        }
    }

    fn command(self, dir: &Path, port: u16) -> Command {
        let python = |server: &str| {
            let mut command = Command::new(python());
            command.arg(app("seen.py")).arg(server);
            command.env("PYTHONUNBUFFERED", "1").current_dir(dir);
            command
        };
        match self {
            Self::Node => {
                let mut command = Command::new("node");
                command.arg(app("seen.js"));
                command
            }
            Self::Gunicorn => python("gunicorn"),
            Self::UvicornH11 => python("uvicorn_h11"),
            Self::UvicornHttptools => python("uvicorn_httptools"),
            Self::Aiohttp => python("aiohttp"),
            Self::AiohttpPython => {
                let mut command = python("aiohttp");
                command.env("AIOHTTP_NO_EXTENSIONS", "1");
                command
            }
            Self::Waitress => python("waitress"),
            Self::Tornado => python("tornado"),
            Self::Nginx => nginx(dir, port),
            Self::Apache => apache(dir, port),
        }
    }
}

/// The Python that has the servers: named by `cargo xtask test`, which installs it.
fn python() -> PathBuf {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/test-venv/bin/python3");
    let python = std::env::var_os("RAINCHECK_TEST_PYTHON").map_or(beside, Into::into);
    assert!(
        python.exists(),
        "no Python with the test servers: run `cargo xtask e2e`, which installs it"
    );
    python
}

fn app(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("apps")
        .join(name)
}

fn nginx(dir: &Path, port: u16) -> Command {
    let path = dir.display();
    let config = format!(
        "daemon off; worker_processes 1; pid {path}/pid; error_log stderr crit;
         events {{ worker_connections 512; }}
         http {{ log_format seen '$status $request'; access_log {path}/seen seen;
           client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;
           uwsgi_temp_path {path}/d; scgi_temp_path {path}/e; large_client_header_buffers 4 64k;
           server {{ listen 127.0.0.1:{port}; location / {{ return 200 'ok'; }} }} }}"
    );
    let file = dir.join("nginx.conf");
    std::fs::write(&file, config).must("the config of nginx");
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir).arg("-c").arg(file);
    command
}

fn apache(dir: &Path, port: u16) -> Command {
    let path = dir.display();
    std::fs::write(dir.join("index.html"), "ok").must("a page");
    let modules = ["mpm_event", "dir", "authz_core"]
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"));
    let config = format!(
        "{}\nServerName x\nListen 127.0.0.1:{port}\nPidFile {path}/pid\nDefaultRuntimeDir {path}\n\
         ErrorLog {path}/errors\nLogFormat \"%>s %r\" seen\nCustomLog {path}/seen seen\n\
         DocumentRoot {path}\n<Directory {path}>\nRequire all granted\nFallbackResource /index.html\n\
         </Directory>\nServerLimit 1\nStartServers 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n\
         KeepAlive On\nMaxKeepAliveRequests 0\n",
        modules.join("\n")
    );
    let file = dir.join("apache.conf");
    std::fs::write(&file, config).must("the config of Apache");
    let mut command = Command::new("apache2");
    command.arg("-D").arg("FOREGROUND").arg("-f").arg(file);
    command
}

/// A backend that runs.
pub struct Real {
    kind: Kind,
    dir: tempfile::TempDir,
    child: Child,
    port: u16,
    url: String,
}

impl Real {
    pub async fn start(kind: Kind) -> Self {
        let dir = tempfile::tempdir().must("a directory");
        let mut port = 0;
        let child;
        if kind.tells() {
            child = Child::spawn(kind.command(dir.path(), port));
            let line = child.line_with("port ").await;
            let digits = line.trim().strip_prefix("port ").must("a port");
            port = digits.parse().must("a port");
        } else {
            port = free_port();
            child = Child::spawn(kind.command(dir.path(), port));
            listens(&child, port).await;
        }
        Self {
            kind,
            dir,
            child,
            port,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The requests it has understood so far, by the number of their case.
    async fn seen(&self) -> BTreeMap<usize, Vec<String>> {
        let targets: Vec<String> = if self.kind.tells() {
            let addr = ([127, 0, 0, 1], self.port).into();
            let answer = Request::new(addr, "GET", "/seen").send().await;
            serde_json::from_str(&answer.text()).must("a list of targets")
        } else {
            let log = std::fs::read(self.dir.path().join("seen")).must("the log");
            let log = String::from_utf8_lossy(&log).into_owned();
            // Also a method that a file does not have was understood.
            let understood = |line: &str| line.starts_with("200 ") || line.starts_with("405 ");
            let understood = log.lines().filter(|line| understood(line));
            let targets = understood.filter_map(|line| line.split(' ').nth(2));
            targets.map(str::to_owned).collect()
        };
        let mut seen = BTreeMap::<_, Vec<String>>::new();
        for target in targets {
            let path = target.split('?').next().must("a path").to_owned();
            let path = path.strip_prefix("http://x").unwrap_or(&path).to_owned();
            let (number, _) = unmark(&path).unwrap_or((usize::MAX, ""));
            seen.entry(number).or_default().push(path);
        }
        seen
    }

    /// Fails unless it has understood exactly these requests, other numbers aside.
    pub async fn expect_seen(&self, expected: &BTreeMap<usize, Vec<String>>) {
        if !self.kind.tells() {
            // They log a request after they have answered it.
            let all: usize = expected.values().map(Vec::len).sum();
            let log = self.dir.path().join("seen");
            let lines = || std::fs::read(&log).map_or(0, |log| log.split(|b| *b == b'\n').count());
            until("the log", || lines() > all).await;
        }
        let mut seen = self.seen().await;
        let first = *expected.keys().next().must("a case");
        seen.retain(|number, _| (first..first + 5000).contains(number) || *number == usize::MAX);
        for targets in seen.values_mut() {
            // Requests of one connection are answered in order; a log may be written otherwise.
            targets.sort();
        }
        for case in corpus::all()
            .iter()
            .enumerate()
            .filter(|(_, case)| case.may_be_refused)
        {
            // Whether it understood these or refused them itself, its answers have told.
            seen.remove(&(first + case.0));
        }
        let mut expected = expected.clone();
        expected.retain(|number, _| !corpus::all()[number - first].may_be_refused);
        expected.values_mut().for_each(|targets| targets.sort());
        if !self.kind.tells() {
            // They answer without the body, and so count requests whose body was refused.
            seen.retain(|number, targets| {
                let early = corpus::mark(*number) + "a";
                expected.contains_key(number) || *targets != [early]
            });
        }
        assert_eq!(seen, expected, "{:?}", self.kind);
    }

    /// Sends every case straight to it. Says for each how many requests it understood.
    pub async fn direct(self) -> Vec<usize> {
        let cases = corpus::all();
        let mut running = JoinSet::new();
        for (number, case) in cases.iter().enumerate() {
            if running.len() >= 24 {
                running.join_next().await;
            }
            running.spawn(alone(self.port, number, case.clone()));
        }
        running.join_all().await;
        if !self.kind.tells() {
            let dir = self.dir.path().to_owned();
            self.child.signal(Signal::TERM);
            self.child.exited().await;
            assert!(dir.join("seen").exists());
        }
        let seen = self.seen().await;
        (0..cases.len())
            .map(|number| seen.get(&number).map_or(0, Vec::len))
            .collect()
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.child.signal(Signal::TERM);
    }
}

/// One case on a connection of its own, until the backend closes or waits for more.
async fn alone(port: u16, number: usize, case: Case) {
    let mut client = Client::connect(([127, 0, 0, 1], port).into()).await;
    let _ = client.try_send(case.numbered(number)).await;
    let _ = tokio::time::timeout(PATIENCE, client.rest()).await;
}

/// A port that was free a moment ago, for servers that cannot say which one they took.
fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").must("a port");
    socket.local_addr().must("its address").port()
}

async fn listens(child: &Child, port: u16) {
    within("a listener", async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_err()
        {
            assert!(child.is_running(), "{}", child.stderr());
            tokio::task::yield_now().await;
        }
    })
    .await;
}
