//! `raincheck replace`: the running gateway starts a new process of itself and makes way for it.

use std::time::Duration;

use serde_json::json;

use super::ReplaceArgs;
use crate::exit::{Code, Failure};
use crate::output::Output;
use crate::replace::POST;
use crate::replace::channel::{Channel, PROTOCOL};

/// How long a replacement may take: its grace period, and whatever a start takes.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Asks, and waits until the new process serves.
pub fn run(args: &ReplaceArgs, out: Output) -> anyhow::Result<Code> {
    let dir = args.store.path()?;
    let channel = Channel::call(&dir, POST).map_err(|error| {
        let shown = dir.display();
        let message = format!("no gateway serves from {shown}: {error}; start one with serve");
        Failure::new(Code::Unreachable, message)
    })?;
    let asked = channel.say(&json!({ "kind": "start", "protocol": PROTOCOL }), None);
    let replaced = asked.and_then(|()| channel.expect("replaced", PATIENCE));
    let replaced = replaced.map_err(|error| {
        let message = format!("not replaced: {error}; the old process serves on, see its log");
        Failure::new(Code::Refused, message)
    })?;
    let pid = replaced.number("pid");
    match out.is_json() {
        true => out.document(&json!({ "event": "replaced", "pid": pid }))?,
        false => out.line(pid)?,
    }
    Ok(Code::Ok)
}
