//! `raincheck serve`: run the gateway until it is asked to stop.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use raincheck_config::{Errors, Overrides, Plan};
use raincheck_store_local::{LocalStore, OpenError, Options};
use serde_json::json;

use crate::ambient::System;
use crate::cli::ServeArgs;
use crate::exit::Code;
use crate::output::Output;
use crate::shutdown::{Signals, Why};
use crate::wire::{self, Gateway, PortError, Ports};

/// Runs the gateway. Returns when it has stopped.
pub fn run(args: ServeArgs, out: Output) -> anyhow::Result<Code> {
    let plan = match load(args.config.as_deref(), &args.overrides()) {
        Ok(plan) => plan,
        Err(Unloaded::Unreadable(text)) => {
            out.error(&text);
            return Ok(Code::Usage);
        }
        Err(Unloaded::Wrong(errors)) => {
            out.talk(&errors.render(out.colour()));
            return Ok(Code::Usage);
        }
    };
    let json_log = plan.log.format == raincheck_config::plan::Format::Json;
    raincheck_telemetry::log::init(plan.log.level.as_str(), json_log, out.colour());
    for warning in &plan.warnings {
        out.talk(&warning.render(out.colour()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve(plan, &out))
}

/// Why there is no plan.
pub enum Unloaded {
    /// The file cannot be read.
    Unreadable(String),
    /// It says what cannot be.
    Wrong(Errors),
}

/// Reads the config: file, then environment, then flags.
pub fn load(file: Option<&Path>, overrides: &Overrides) -> Result<Plan, Unloaded> {
    let text = match file {
        None => None,
        Some(path) => {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| Unloaded::Unreadable(format!("cannot read {name}: {error}")))?;
            Some((name, text))
        }
    };
    let text = text.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
    raincheck_config::load(text, environment(), overrides).map_err(Unloaded::Wrong)
}

/// Variables that are text; others cannot name a key or be put into a file.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    })
}

async fn serve(plan: Plan, out: &Output) -> anyhow::Result<Code> {
    let mut signals = Signals::listen()?;
    let grace = plan.server.grace;
    let store = match LocalStore::open(&plan.store.path, Options::default()) {
        Ok(store) => Arc::new(store),
        Err(error) => {
            out.error(&error.to_string());
            return Ok(store_code(&error));
        }
    };
    let ports = match Ports::open(&plan) {
        Ok(ports) => ports,
        Err(error) => {
            out.error(&port_words(&error));
            return Ok(port_code(&error));
        }
    };
    let first_route = plan.routes.first().map(|route| route.pattern.to_string());
    let gateway = wire::start(plan, store, ports, Arc::new(System))?;
    ready(&gateway, first_route.as_deref(), out)?;
    let why = gateway.until_stopped(&mut signals).await;
    if let Why::StoreFailed(text) = &why {
        tracing::error!(why = text, "the store has failed; nothing more can be acknowledged");
    }
    gateway.stop(grace, &why, &mut signals).await;
    Ok(match why {
        Why::Asked => Code::Ok,
        Why::StoreFailed(_) => Code::StoreFailed,
    })
}

/// Says that requests are welcome, and what to try next.
fn ready(gateway: &Gateway, route: Option<&str>, out: &Output) -> anyhow::Result<()> {
    let listen: Vec<String> =
        gateway.public.iter().map(|server| server.local_addr().to_string()).collect();
    let admin = gateway.admin.as_ref().map(|server| server.local_addr().to_string());
    if out.is_json() {
        let line = json!({
            "event": "ready",
            "listen": listen.first(),
            "listeners": listen,
            "admin": admin,
        });
        let mut stdout = std::io::stdout().lock();
        writeln!(stdout, "{line}")?;
        return Ok(stdout.flush()?);
    }
    let at = listen.join(", ");
    out.talk(&format!("raincheck {} is ready on {at}", env!("CARGO_PKG_VERSION")));
    if let Some(admin) = &admin {
        out.talk(&format!("  admin:  http://{admin}/ (jobs, health, metrics)"));
    }
    if let (Some(listen), Some(route)) = (listen.first(), route) {
        out.talk(&format!("  try:    curl -i http://{listen}/    (first route: {route})"));
    }
    Ok(())
}

fn port_words(error: &PortError) -> String {
    let next = match error.source.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another process has it: stop that one, or choose another address"
        }
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "; is it an address of this machine?",
    };
    format!("{error}{next}")
}

fn port_code(error: &PortError) -> Code {
    match error.source.kind() {
        std::io::ErrorKind::AddrInUse => Code::PortInUse,
        _ => Code::PortRefused,
    }
}

fn store_code(error: &OpenError) -> Code {
    match error {
        OpenError::InUse { .. } => Code::StoreInUse,
        OpenError::Newer { .. } => Code::StoreNewer,
        OpenError::NotAStore { .. } | OpenError::Damaged { .. } => Code::StoreDamaged,
        OpenError::ReadOnly { .. } => Code::StoreReadOnly,
        OpenError::Full { .. } => Code::DiskFull,
        OpenError::Io { .. } => Code::StoreFailed,
    }
}
