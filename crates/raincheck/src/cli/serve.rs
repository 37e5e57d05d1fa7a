//! `raincheck serve`: run the gateway until it is asked to stop.

mod reload;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use raincheck_api::Reload;
use raincheck_config::Plan;
use raincheck_config::plan::Format;
use raincheck_gateway::server::{Address, ServerHandle};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

use crate::ambient::System;
use crate::cli::load::warn;
use crate::cli::{ConfigArgs, ServeArgs};
use crate::exit::{Code, Failure};
use crate::listeners::{Listeners, Role};
use crate::output::Output;
use crate::replace::POST;
use crate::replace::channel::Channel;
use crate::replace::notify::notify;
use crate::replace::predecessor::{Call, Calls, Origin, Outcome, make_way};
use crate::replace::successor::Predecessor;
use crate::shutdown::{Signals, Why};
use crate::wire::{self, Gateway, Opened};
use reload::Reloader;

/// Runs the gateway. Returns when it has stopped.
pub fn run(args: ServeArgs, out: Output) -> anyhow::Result<Code> {
    let plan = args.config.load()?;
    let json_log = plan.log.format == Format::Json;
    raincheck_telemetry::log::init(plan.log.level.as_str(), json_log, out.colours());
    warn(&plan, out);
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args, plan, out))
}

/// Lets the process open as many files as it may: service managers start programs with the old
/// soft limit of 1,024, which is for those that cannot take more.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, limit = limit.current, "the limit of open files is not raised");
    }
}

async fn serve(args: ServeArgs, plan: Plan, out: Output) -> anyhow::Result<Code> {
    let ServeArgs { config, take_over } = args;
    let origin = Origin::here()?;
    let mut signals = Signals::listen()?;
    let path = plan.store.path.clone();
    let mut predecessor = match take_over {
        true => Predecessor::call(&path).context("the running process cannot be replaced")?,
        false => None,
    };
    // Nobody serves a directory that is not there: it is made once the listeners are had, so that a
    // start that is refused them leaves none behind.
    let mut store = match &predecessor {
        None if path.exists() => Some(wire::open(&path)?),
        _ => None,
    };
    let inherited = predecessor
        .as_mut()
        .map(|before| std::mem::take(&mut before.listeners));
    let listeners = Arc::new(Listeners::open(&plan, inherited.unwrap_or_default())?);
    let mut served = Served {
        config,
        plan,
        listeners,
        origin,
        out,
    };
    loop {
        if let Some(before) = predecessor.take() {
            let (before, opened) = before.store(&path, served.plan.server.grace).await?;
            store = Some(opened);
            predecessor = Some(before);
        }
        let opened = match store.take() {
            Some(opened) => opened,
            None => wire::open(&path)?,
        };
        match served
            .once(opened, predecessor.take(), &mut signals)
            .await?
        {
            Some(code) => return Ok(code),
            None => served.plan = served.config.load().unwrap_or(served.plan),
        }
    }
}

/// What is served, from one opening of the store to the next.
struct Served {
    config: ConfigArgs,
    plan: Plan,
    listeners: Arc<Listeners>,
    origin: Origin,
    out: Output,
}

impl Served {
    /// Serves until there is a reason to stop. None: the store has to be opened again.
    async fn once(
        &mut self,
        store: Opened,
        predecessor: Option<Predecessor>,
        signals: &mut Signals,
    ) -> anyhow::Result<Option<Code>> {
        let plan = self.plan.clone();
        let hangups = Reloader::listen()?;
        let reloader = Arc::new(Reloader::new(
            self.config.clone(),
            plan.clone(),
            Arc::clone(&self.listeners),
            self.out,
        ));
        let mut calls = Calls::listen(&plan.store.path).map_err(|e| no_post(&e))?;
        let (grace, first_route) = (plan.server.grace, plan.routes.first());
        let first_route = first_route.map(|route| route.pattern.to_string());
        let again = Arc::clone(&reloader) as Arc<dyn Reload>;
        let tls_reload = plan.server.tls_reload;
        let gateway = wire::start(
            plan,
            store,
            Arc::clone(&self.listeners),
            Arc::new(System),
            Some(again),
        )?;
        if let Some(predecessor) = predecessor {
            predecessor.serve(&self.listeners.served()?);
        }
        notify(&format!("READY=1\nMAINPID={}", std::process::id()));
        ready(&gateway, first_route.as_deref(), self.out)?;
        let why = tokio::select! {
            why = gateway.until_stopped(signals) => why,
            never = reloader.run(hangups, &gateway.runner) => match never {},
            never = self.listeners.watch(tls_reload) => match never {},
            why = self.replaced(&gateway, &mut calls, grace) => why,
        };
        drop(calls);
        match &why {
            Why::Replaced => {
                gateway.finish(signals).await;
                return Ok(Some(Code::Ok));
            }
            Why::Orphaned => return Ok(None),
            Why::StoreFailed(text) => tracing::error!(
                why = text,
                "the store has failed; nothing more can be acknowledged"
            ),
            Why::Asked => {}
        }
        notify("STOPPING=1");
        // As long as anybody has them open, the kernel takes connections that nobody serves.
        self.listeners.close();
        gateway.stop(grace, &why, signals).await;
        Ok(Some(match why {
            Why::StoreFailed(_) => Code::StoreFailed,
            _ => Code::Ok,
        }))
    }

    /// Makes way when asked to, and says how that ended once we no longer serve.
    async fn replaced(&self, gateway: &Gateway, calls: &mut Calls, grace: Duration) -> Why {
        let mut asker = None;
        loop {
            let channel = match calls.next().await {
                Call::Successor(channel) => channel,
                Call::Start(who) => {
                    asker = self.start_successor(who);
                    continue;
                }
            };
            let outcome = make_way(gateway, channel, grace).await;
            let told = asker.take();
            match outcome {
                Outcome::Replaced(pid) => {
                    tell(told, Ok(pid));
                    return Why::Replaced;
                }
                Outcome::Kept(why) => tell(told, Err(&why)),
                Outcome::Orphaned(why) => {
                    tell(told, Err(&why));
                    return Why::Orphaned;
                }
            }
        }
    }

    /// Starts a successor; who asked for it is told at once if that fails.
    fn start_successor(&self, who: Option<Channel>) -> Option<Arc<Channel>> {
        let who = who.map(Arc::new);
        match self.origin.start_successor(who.clone()) {
            Ok(pid) => tracing::info!(pid, "started a process to take over"),
            Err(error) => {
                let why = format!("the new process cannot be started: {error}");
                tracing::error!(%why, "not replaced");
                tell(who.clone(), Err(&why));
            }
        }
        who
    }
}

/// Tells whoever asked for a successor how that went.
fn tell(who: Option<Arc<Channel>>, outcome: Result<u64, &str>) {
    let Some(who) = who else {
        return;
    };
    match outcome {
        // Nobody is told who has gone.
        Ok(pid) => _ = who.say(&json!({ "kind": "replaced", "pid": pid }), None),
        Err(why) => who.refuse(why),
    }
}

/// Says that requests are welcome, and what to try next.
fn ready(gateway: &Gateway, route: Option<&str>, out: Output) -> anyhow::Result<()> {
    let public = gateway.listeners.servers(Role::Public);
    let operators = gateway.listeners.servers(Role::Admin);
    let listen: Vec<String> = public
        .iter()
        .map(|server| server.address().to_string())
        .collect();
    let admin = operators.first().map(|server| server.address().to_string());
    if out.is_json() {
        return out.document(&json!({
            "event": "ready",
            "listen": listen.first(),
            "listeners": listen,
            "admin": admin,
        }));
    }
    let at = listen.join(", ");
    out.say(format_args!(
        "raincheck {} is ready on {at}",
        env!("CARGO_PKG_VERSION")
    ));
    if let Some(admin) = operators.first() {
        let (options, url) = reached(admin);
        out.say(format_args!(
            "  admin:  {options}{url} (jobs, health, metrics)"
        ));
    }
    if let (Some(server), Some(route)) = (public.first(), route) {
        let (options, url) = reached(server);
        out.say(format_args!(
            "  try:    curl -i {options}{url}    (first route: {route})"
        ));
    }
    Ok(())
}

/// How curl reaches a listener: options before the URL, and the URL.
fn reached(server: &ServerHandle) -> (String, String) {
    let scheme = if server.is_secure() { "https" } else { "http" };
    match server.address() {
        Address::Tcp(addr) => (String::new(), format!("{scheme}://{}/", dialled(*addr))),
        Address::Unix(path) => {
            let path = path.as_deref().map(|path| path.display().to_string());
            let options = format!("--unix-socket {} ", path.unwrap_or_default());
            (options, format!("{scheme}://localhost/"))
        }
    }
}

/// Where a listener on any address is reached from this machine: not every client can dial
/// `0.0.0.0` or `[::]`.
fn dialled(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        named => named,
    };
    SocketAddr::new(ip, addr.port())
}

/// The socket for a successor lies on the disk of the store, and fails as that does.
fn no_post(error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull => Code::StoreFull,
        _ => Code::StoreFailed,
    };
    let message = format!("cannot make {POST} in the data directory: {error}; see its disk");
    Failure::new(code, message)
}

#[cfg(test)]
mod tests {
    //! What is printed can be dialled.

    use super::dialled;

    #[test]
    fn a_listener_on_any_address_is_reached_on_loopback() {
        for (listens, at) in [
            ("0.0.0.0:8080", "127.0.0.1:8080"),
            ("[::]:8080", "[::1]:8080"),
            ("127.0.0.2:80", "127.0.0.2:80"),
            ("[::1]:80", "[::1]:80"),
            ("192.0.2.7:443", "192.0.2.7:443"),
        ] {
            assert_eq!(dialled(listens.parse().unwrap()).to_string(), at);
        }
    }
}
