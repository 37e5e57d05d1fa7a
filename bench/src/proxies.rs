//! The relays that are compared: nginx and HAProxy from Debian, and raincheck, each in front of the
//! same backend; and that backend, an nginx that answers from memory.
//!
//! All are set up as their users would for speed: a worker for each core, connections to the backend
//! kept, no access log, the usual forwarding fields set.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::context::Context;
use crate::gateway::{Home, route};
use crate::process::Process;

/// How long a server may take to listen.
const READY: Duration = Duration::from_secs(20);

/// Sizes of the backend's answers, by path.
const BODIES: [(&str, usize); 3] = [("1k", 1 << 10), ("64k", 64 << 10), ("10m", 10 << 20)];

/// A relay to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// nginx.
    Nginx,
    /// HAProxy.
    HaProxy,
    /// raincheck with a sync route.
    Sync,
    /// raincheck with an auto route.
    Auto,
}

impl Kind {
    /// What the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::HaProxy => "HAProxy",
            Self::Sync => "raincheck sync",
            Self::Auto => "raincheck auto",
        }
    }
}

/// A running relay.
#[derive(Debug)]
pub struct Proxy {
    /// Which.
    pub kind: Kind,
    /// Its processes.
    pub process: Process,
    /// Where it speaks plain HTTP.
    pub plain: SocketAddr,
    /// Where it speaks HTTP/2 without TLS.
    pub http2: SocketAddr,
    /// Where it speaks either behind TLS.
    pub secure: SocketAddr,
    /// Stops with this value: what it runs on.
    _files: Files,
}

#[derive(Debug)]
enum Files {
    Directory { _directory: TempDir },
    Home { _home: Home },
}

impl Proxy {
    /// Starts a relay in front of a backend and waits until it listens.
    pub async fn start(kind: Kind, context: &Context, behind: &Behind) -> Result<Self> {
        match kind {
            Kind::Nginx => nginx(context, behind).await,
            Kind::HaProxy => haproxy(context, behind).await,
            Kind::Sync => raincheck(kind, "sync", context, behind).await,
            Kind::Auto => raincheck(kind, "auto", context, behind).await,
        }
    }
}

/// What all relays have in common: their backend, and the certificate that they show.
#[derive(Debug)]
pub struct Behind {
    backend: Backend,
    certificate: Certificate,
}

impl Behind {
    /// Starts the backend and makes the certificate.
    pub async fn start(context: &Context) -> Result<Self> {
        Ok(Self {
            backend: Backend::start(context).await?,
            certificate: Certificate::new(context)?,
        })
    }
}

/// A certificate that nobody trusts, and its key, as files.
#[derive(Debug)]
struct Certificate {
    directory: TempDir,
}

impl Certificate {
    fn new(context: &Context) -> Result<Self> {
        let directory = directory(context, "certificate-")?;
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        std::fs::write(directory.path().join("chain.pem"), &chain)?;
        std::fs::write(directory.path().join("key.pem"), &key)?;
        std::fs::write(directory.path().join("both.pem"), chain + &key)?;
        Ok(Self { directory })
    }

    fn file(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }
}

/// The backend: one worker of nginx, with its answers in memory.
#[derive(Debug)]
struct Backend {
    address: SocketAddr,
    _process: Process,
    _directory: TempDir,
}

impl Backend {
    async fn start(context: &Context) -> Result<Self> {
        let directory = directory(context, "backend-")?;
        for (name, size) in BODIES {
            std::fs::write(directory.path().join(name), vec![b'x'; size])?;
        }
        let address = free_address()?;
        let small = "x".repeat(1 << 10);
        let root = directory.path().display();
        // A file cannot be the answer to a POST; both small answers come from memory.
        let server = format!(
            "server {{ listen {address} backlog=4096; root {root};\n\
             location ~ /1k$ {{ return 200 \"{small}\"; }}\n\
             location / {{ rewrite ^.*/([^/]+)$ /$1 break; }} }}"
        );
        let mut process = start_nginx(directory.path(), 1, &server)?;
        listening(&mut process, address).await?;
        Ok(Self {
            address,
            _process: process,
            _directory: directory,
        })
    }
}

async fn nginx(context: &Context, behind: &Behind) -> Result<Proxy> {
    let backend = behind.backend.address;
    let (chain, key) = (
        behind.certificate.file("chain.pem"),
        behind.certificate.file("key.pem"),
    );
    let directory = directory(context, "nginx-")?;
    let (plain, http2, secure) = (free_address()?, free_address()?, free_address()?);
    let server = format!(
        "upstream backend {{ server {backend}; keepalive 10000; \
         keepalive_requests 1000000000; }}\n\
         server {{ listen {plain} reuseport backlog=4096;\n\
         listen {http2} http2 reuseport backlog=4096;\n\
         listen {secure} ssl http2 reuseport backlog=4096;\n\
         ssl_certificate {chain}; ssl_certificate_key {key};\n\
         location / {{ proxy_pass http://backend; proxy_http_version 1.1;\n\
         proxy_max_temp_file_size 0;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $http_host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
         proxy_set_header X-Forwarded-Proto $scheme; }} }}",
    );
    let workers = std::thread::available_parallelism()?.get();
    let mut process = start_nginx(directory.path(), workers, &server)?;
    listening(&mut process, plain).await?;
    Ok(Proxy {
        kind: Kind::Nginx,
        process,
        plain,
        http2,
        secure,
        _files: Files::Directory {
            _directory: directory,
        },
    })
}

fn start_nginx(home: &Path, workers: usize, servers: &str) -> Result<Process> {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", home.display()))
        .concat();
    // Workers of another user could not read below a private directory.
    let config = format!(
        "daemon off; user root; worker_processes {workers}; error_log stderr error;\n\
         pid {}/pid; worker_rlimit_nofile {DESCRIPTORS};\n\
         events {{ worker_connections 16000; }}\n\
         http {{ access_log off; sendfile on; keepalive_requests 1000000000;\n\
         keepalive_timeout 600s; client_max_body_size 0; {temporary} {servers} }}",
        home.display(),
    );
    let file = home.join("nginx.conf");
    std::fs::write(&file, config)?;
    let arguments = ["-c", &file.display().to_string()].map(str::to_owned);
    let log = home.join("stderr.log");
    Process::start("nginx", &program("nginx")?, &arguments, &[], Some(&log))
}

/// Files that a server may have open: what this process may, as nobody may allow themselves more.
const DESCRIPTORS: u32 = 20_000;

async fn haproxy(context: &Context, behind: &Behind) -> Result<Proxy> {
    let backend = behind.backend.address;
    let both = behind.certificate.file("both.pem");
    let directory = directory(context, "haproxy-")?;
    let (plain, http2, secure) = (free_address()?, free_address()?, free_address()?);
    let workers = std::thread::available_parallelism()?.get();
    // Without `no strict-limits` it would want two descriptors for each connection.
    let config = format!(
        "global\n  nbthread {workers}\n  maxconn 12000\n  no strict-limits\n\
         defaults\n  mode http\n  option forwardfor\n  http-reuse always\n\
         \x20 timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         \x20 timeout queue 60s\n\
         frontend clients\n  bind {plain} backlog 4096\n\
         \x20 bind {http2} backlog 4096 proto h2\n\
         \x20 bind {secure} backlog 4096 ssl crt {both} alpn h2,http/1.1\n\
         \x20 http-request set-header X-Forwarded-Proto http\n  default_backend servers\n\
         backend servers\n  server one {backend} maxconn 1000 pool-max-conn -1\n",
    );
    let file = directory.path().join("haproxy.cfg");
    std::fs::write(&file, config)?;
    let arguments = ["-db", "-q", "-f", &file.display().to_string()].map(str::to_owned);
    let log = directory.path().join("stderr.log");
    let mut process = Process::start("HAProxy", &program("haproxy")?, &arguments, &[], Some(&log))?;
    listening(&mut process, plain).await?;
    Ok(Proxy {
        kind: Kind::HaProxy,
        process,
        plain,
        http2,
        secure,
        _files: Files::Directory {
            _directory: directory,
        },
    })
}

async fn raincheck(kind: Kind, mode: &str, context: &Context, behind: &Behind) -> Result<Proxy> {
    let binary = context.raincheck.as_ref().context("raincheck")?;
    let (chain, key) = (
        behind.certificate.file("chain.pem"),
        behind.certificate.file("key.pem"),
    );
    let listen = format!(
        "[\"127.0.0.1:0\", {{ address = \"127.0.0.1:0\", \
         tls = {{ certificate = \"{chain}\", key = \"{key}\" }} }}]"
    );
    let route = route("relay", mode, behind.backend.address, "");
    let home = Home::listening(&context.data, &listen, &route)?;
    let gateway = home.start(binary).await?;
    let [plain, secure] = gateway.listeners[..] else {
        bail!("raincheck listens on {:?}", gateway.listeners);
    };
    Ok(Proxy {
        kind,
        process: gateway.process,
        plain,
        http2: plain,
        secure,
        _files: Files::Home { _home: home },
    })
}

/// A program on the PATH, or among the administrator's.
pub fn program(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
        .with_context(|| format!("{name} is missing"))
}

fn directory(context: &Context, prefix: &str) -> Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    Ok(builder.prefix(prefix).tempdir_in(&context.data)?)
}

async fn listening(process: &mut Process, address: SocketAddr) -> Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).await.is_err() {
        if process.ended() || begun.elapsed() > READY {
            bail!("{} does not listen on {address}", process.name());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// An address that was free a moment ago.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}
