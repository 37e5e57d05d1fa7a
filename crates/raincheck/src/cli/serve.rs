//! `raincheck serve`: run the gateway until it is asked to stop.

mod reload;

use std::sync::Arc;

use raincheck_api::Reload;
use raincheck_config::Plan;
use raincheck_config::plan::Format;
use raincheck_gateway::server::Address;
use serde_json::json;

use crate::ambient::System;
use crate::cli::load::warn;
use crate::cli::{ConfigArgs, ServeArgs};
use crate::exit::Code;
use crate::listen::Ports;
use crate::output::Output;
use crate::shutdown::{Signals, Why};
use crate::wire::{self, Gateway};
use reload::Reloader;

/// Runs the gateway. Returns when it has stopped.
pub fn run(args: ServeArgs, out: Output) -> anyhow::Result<Code> {
    let plan = args.config.load()?;
    let json_log = plan.log.format == Format::Json;
    raincheck_telemetry::log::init(plan.log.level.as_str(), json_log, out.colours());
    warn(&plan, out);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(args.config, plan, out))
}

async fn serve(config: ConfigArgs, plan: Plan, out: Output) -> anyhow::Result<Code> {
    let mut signals = Signals::listen()?;
    let hangups = Reloader::listen()?;
    let reloader = Arc::new(Reloader::new(config, plan.clone(), out));
    let grace = plan.server.grace;
    let store = wire::open(&plan.store.path)?;
    let ports = Ports::open(&plan)?;
    let first_route = plan.routes.first().map(|route| route.pattern.to_string());
    let again = Arc::clone(&reloader) as Arc<dyn Reload>;
    let gateway = wire::start(plan, store, ports, Arc::new(System), Some(again))?;
    ready(&gateway, first_route.as_deref(), out)?;
    let why = tokio::select! {
        why = gateway.until_stopped(&mut signals) => why,
        never = reloader.run(hangups, &gateway.runner) => match never {},
    };
    if let Why::StoreFailed(text) = &why {
        tracing::error!(
            why = text,
            "the store has failed; nothing more can be acknowledged"
        );
    }
    gateway.stop(grace, &why, &mut signals).await;
    Ok(match why {
        Why::Asked => Code::Ok,
        Why::StoreFailed(_) => Code::StoreFailed,
    })
}

/// Says that requests are welcome, and what to try next.
fn ready(gateway: &Gateway, route: Option<&str>, out: Output) -> anyhow::Result<()> {
    let listen: Vec<String> = gateway
        .public
        .iter()
        .map(|server| server.address().to_string())
        .collect();
    let admin = gateway
        .admin
        .as_ref()
        .map(|server| server.address().to_string());
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
    if let Some(admin) = &gateway.admin {
        let (options, url) = reached(admin.address());
        out.say(format_args!(
            "  admin:  {options}{url} (jobs, health, metrics)"
        ));
    }
    if let (Some(server), Some(route)) = (gateway.public.first(), route) {
        let (options, url) = reached(server.address());
        out.say(format_args!(
            "  try:    curl -i {options}{url}    (first route: {route})"
        ));
    }
    Ok(())
}

/// How curl reaches an address: options before the URL, and the URL.
fn reached(address: &Address) -> (String, String) {
    match address {
        Address::Tcp(addr) => (String::new(), format!("http://{addr}/")),
        Address::Unix(path) => {
            let path = path.as_deref().map(|path| path.display().to_string());
            let options = format!("--unix-socket {} ", path.unwrap_or_default());
            (options, "http://localhost/".to_owned())
        }
    }
}
