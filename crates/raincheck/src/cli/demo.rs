//! `raincheck demo`: a gateway, a slow backend and a client in one process, offline.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use raincheck_config::{Overrides, Plan};
use raincheck_gateway::server::{Bound, Server, ServerOptions};

use crate::ambient::System;
use crate::cli::DemoArgs;
use crate::demo::backend::SlowBackend;
use crate::demo::client::{self, Story};
use crate::exit::{Code, Failure};
use crate::listeners::{Listeners, Role};
use crate::output::Output;
use crate::shutdown::{Signals, Why};
use crate::wire::{self, Gateway};

/// Runs the demo until it is asked to stop, or once through with `--once`.
pub fn run(args: DemoArgs, out: Output) -> anyhow::Result<Code> {
    raincheck_telemetry::log::init("warn", false, out.colours());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let directory = Scratch::new()?;
    runtime.block_on(demo(args, &directory, out))
}

/// A data directory that goes away with the demo.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("raincheck-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays in the temporary directory after a failure here harms nobody.
        _ = std::fs::remove_dir_all(&self.0);
    }
}

async fn demo(args: DemoArgs, directory: &Scratch, out: Output) -> anyhow::Result<Code> {
    let mut signals = Signals::listen()?;
    let work = Duration::from_secs(args.seconds);
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let backend = Bound::tcp(loopback(0)).context("cannot open a port for the backend")?;
    let upstream = format!("http://{}", backend.address());
    let backend = Server::start(
        backend,
        Arc::new(SlowBackend::new(work)),
        ServerOptions::default(),
    )?;
    let store = wire::open(&directory.0.join("data"))?;
    let plan = plan(&args, &upstream, loopback(args.port))?;
    let listeners = Listeners::open(&plan, Vec::new()).map_err(|failure| {
        Failure::new(
            failure.code,
            format!("{failure}; or try: raincheck demo --port 0"),
        )
    })?;
    let gateway = wire::start(plan, store, Arc::new(listeners), Arc::new(System), None)?;
    let told = tell(&gateway, &args, out);
    let stopped = tokio::select! {
        told = told => told.map(|()| args.once),
        () = signals.next() => Ok(true),
    };
    if let Ok(false) = stopped {
        out.say("\nStill running, to try it yourself; Ctrl-C stops it and deletes its data.");
        signals.next().await;
    }
    gateway
        .stop(Duration::ZERO, &Why::Asked, &mut signals)
        .await;
    backend.drain(Duration::ZERO).await;
    stopped.map(|_| Code::Ok)
}

fn plan(args: &DemoArgs, upstream: &str, listen: SocketAddr) -> anyhow::Result<Plan> {
    let overrides = Overrides {
        upstream: Some(upstream.to_owned()),
        hold: Some(format!("{}ms", args.hold.as_millis())),
        listen: Some(listen.to_string()),
        admin_listen: Some("127.0.0.1:0".to_owned()),
        ..Overrides::default()
    };
    raincheck_config::load(None, std::iter::empty(), &overrides)
        .map_err(|errors| anyhow::anyhow!("{errors}"))
}

/// Explains, prints what to paste, and plays a client.
async fn tell(gateway: &Gateway, args: &DemoArgs, out: Output) -> anyhow::Result<()> {
    let public = gateway.listeners.servers(Role::Public);
    let server = public.first().context("no listener")?;
    let base = format!("http://{}", server.address());
    out.say(format_args!(
        "A backend that takes {} s for each report, and raincheck in front of it.\n\
         Clients are held for {:?}; then they get a ticket, while the same request goes on.\n\n\
         Try it in another terminal:\n\
         \x20 curl -i {base}/report          a ticket after {:?}; its Location is the job\n\
         \x20 curl -i {base}/fast            relayed at once, as if raincheck were not there\n\
         \x20 curl -i {base}/report -H 'Prefer: respond-async'    a ticket at once\n",
        args.seconds, args.hold, args.hold
    ));
    let story = Story {
        base,
        out,
        json: out.is_json(),
    };
    client::play(&story).await
}
