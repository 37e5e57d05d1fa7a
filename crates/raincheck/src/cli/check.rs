//! `raincheck check`: what a config means, or everything that is wrong with it.

use http::HeaderName;
use raincheck_config::units::{show_duration, show_size};
use raincheck_config::{Errors, Plan};
use raincheck_core::rate::Rate;
use raincheck_core::rewrite::{HostRule, Rewrite};
use raincheck_core::route::{
    HoldUntil, KeyUse, Mode, OnDisconnect, OnDuplicate, Route, RouteTable,
};
use serde_json::{Value, json};

use super::load::warn;
use super::{CheckArgs, ConfigArgs};
use crate::certificates;
use crate::exit::Code;
use crate::output::Output;
use crate::wire;

/// Checks and shows. Opens no port and no data directory.
pub fn run(args: CheckArgs, out: Output) -> anyhow::Result<Code> {
    let CheckArgs { file, config } = args;
    let config = ConfigArgs {
        config: file.or(config.config),
        ..config
    };
    let loaded = config.load().and_then(|plan| {
        wire::table(plan.routes.clone())?;
        certified(plan)
    });
    match loaded {
        Ok(plan) if out.is_json() => out.document(&document(&plan)).map(|()| Code::Ok),
        Ok(plan) => show(&plan, out).map(|()| Code::Ok),
        Err(error) => match error.downcast_ref::<Errors>() {
            Some(errors) if out.is_json() => {
                out.document(&json!({ "ok": false, "findings": errors.findings() }))?;
                Ok(Code::Usage)
            }
            _ => Err(error),
        },
    }
}

/// The routes as they are tried. A checked plan always makes a table.
fn routes(plan: &Plan) -> Vec<Route> {
    let table = RouteTable::new(plan.routes.clone()).unwrap_or_default();
    table.iter().map(|route| (**route).clone()).collect()
}

/// Certificates are read too: they are as much a part of what would start.
fn certified(plan: Plan) -> anyhow::Result<Plan> {
    certificates::check(&plan)?;
    Ok(plan)
}

fn listeners(plan: &Plan) -> Vec<String> {
    let listen = plan.server.listen.iter();
    listen.map(|one| one.address.to_string()).collect()
}

fn admin(plan: &Plan) -> Option<String> {
    let listen = plan.admin.listen.as_ref();
    listen.map(|one| one.address.to_string())
}

fn show(plan: &Plan, out: Output) -> anyhow::Result<()> {
    warn(plan, out);
    let listen: Vec<String> = listeners(plan);
    let behind = plan
        .server
        .behind
        .map_or("nothing known", |behind| behind.as_str());
    let off = || "off".to_owned();
    out.line(format_args!("listen  {}", listen.join(", ")))?;
    out.line(format_args!("behind  {behind}"))?;
    out.line(format_args!("admin   {}", admin(plan).unwrap_or_else(off)))?;
    out.line(format_args!("store   {}", plan.store.path.display()))?;
    out.line("routes, in the order in which they are tried:")?;
    for (index, route) in routes(plan).iter().enumerate() {
        out.line(format_args!("\n{}. {}", index + 1, described(route)))?;
    }
    let warnings = plan.warnings.len();
    out.say(match warnings {
        0 => "the config is right".to_owned(),
        1 => "the config can be used; see the warning".to_owned(),
        _ => format!("the config can be used; see the {warnings} warnings"),
    });
    Ok(())
}

/// A route with everything that holds for it, defaults included.
fn described(route: &Route) -> String {
    let upstream = upstream(route);
    let none = || "none".to_owned();
    let time = |limit: Option<_>| limit.map_or_else(none, show_duration);
    let retry = &route.retry;
    let mut text = format!("{}  ->  {upstream}\n", route.pattern);
    text.push_str(&format!(
        "   name {}, mode {}{}\n",
        route.name,
        route.mode.as_str(),
        held(route)
    ));
    text.push_str(&format!(
        "   timeout {}, connect_timeout {}, idle_timeout {}, deadline {}\n",
        time(route.timeout),
        show_duration(route.connect_timeout),
        time(route.idle_timeout),
        time(route.deadline)
    ));
    text.push_str(&format!(
        "   attempts {}, backoff {} to {}, on {}, unsafe {}\n",
        retry.attempts,
        show_duration(retry.backoff),
        show_duration(retry.max_backoff),
        retry_on(route).join(" "),
        retry.repeat_unsafe
    ));
    let duplicates = &route.duplicates;
    text.push_str(&format!(
        "   idempotency_key {}, duplicate {}, dedupe {}, caller_headers {}\n",
        key_use(route),
        on_duplicate(route),
        time(duplicates.dedupe),
        names(&duplicates.caller)
    ));
    text.push_str(&format!(
        "   concurrency {}, queue {}, retention {}, max_request {}, max_response {}, rate {}",
        route.concurrency,
        route.queue,
        show_duration(route.retention),
        show_size(route.max_request),
        route.max_response.map_or_else(none, show_size),
        route.rate.map_or_else(none, show_rate)
    ));
    if let Some(rewrite) = &route.rewrite {
        text.push_str(&format!("\n   {}", changes(rewrite).join(", ")));
    }
    text
}

/// As in "100 in 1s".
fn show_rate(rate: Rate) -> String {
    format!("{} in {}", rate.count, show_duration(rate.per))
}

/// The names of the keys that change something.
fn changes(rewrite: &Rewrite) -> Vec<&'static str> {
    let given = [
        ("allow", !rewrite.access.allow.is_empty()),
        ("deny", !rewrite.access.deny.is_empty()),
        ("strip_prefix", rewrite.prefix.strip > 0),
        ("add_prefix", !rewrite.prefix.add.is_empty()),
        ("host", rewrite.host != HostRule::Preserve),
        ("request_headers", !rewrite.request_fields.is_empty()),
        ("response_headers", !rewrite.response_fields.is_empty()),
        ("cors", rewrite.cors.is_some()),
        ("compress", !rewrite.compress.is_empty()),
        ("redirect", rewrite.redirect.is_some()),
        ("respond", rewrite.respond.is_some()),
    ];
    given
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(key, _)| key)
        .collect()
}

fn document(plan: &Plan) -> Value {
    let routes: Vec<Value> = routes(plan).iter().map(route_document).collect();
    json!({
        "ok": true,
        "listen": listeners(plan),
        "behind": plan.server.behind.map(|behind| behind.as_str()),
        "admin": admin(plan),
        "store": plan.store.path.display().to_string(),
        "routes": routes,
        "findings": plan.warnings,
    })
}

fn route_document(route: &Route) -> Value {
    let retry = &route.retry;
    json!({
        "name": route.name.as_str(),
        "match": route.pattern.to_string(),
        "upstream": upstream(route),
        "mode": route.mode.as_str(),
        "hold": holds(route).then(|| show_duration(route.hold)),
        "hold_until": (route.mode == Mode::Auto).then(|| until(route)),
        "timeout": route.timeout.map(show_duration),
        "connect_timeout": show_duration(route.connect_timeout),
        "idle_timeout": route.idle_timeout.map(show_duration),
        "deadline": route.deadline.map(show_duration),
        "on_disconnect": (route.mode != Mode::Async).then(|| disconnect(route)),
        "retry": {
            "attempts": retry.attempts,
            "backoff": show_duration(retry.backoff),
            "max_backoff": show_duration(retry.max_backoff),
            "on": retry_on(route),
            "unsafe": retry.repeat_unsafe,
        },
        "idempotency_key": key_use(route),
        "duplicate": on_duplicate(route),
        "dedupe": route.duplicates.dedupe.map(show_duration),
        "fingerprint_headers": list(&route.duplicates.fields),
        "caller_headers": list(&route.duplicates.caller),
        "concurrency": route.concurrency,
        "queue": route.queue,
        "retention": show_duration(route.retention),
        "max_request": route.max_request,
        "max_response": route.max_response,
        "rate": route.rate.map(show_rate),
        "changes": route.rewrite.as_deref().map(changes).unwrap_or_default(),
    })
}

/// Where requests go, or that they go nowhere.
fn upstream(route: &Route) -> String {
    let rewrite = route.rewrite.as_deref();
    if !route.has_upstream() {
        let responds = rewrite.is_some_and(|rewrite| rewrite.respond.is_some());
        let what = if responds {
            "(a fixed answer)"
        } else {
            "(a redirect)"
        };
        return what.to_owned();
    }
    route.upstream.to_string()
}

/// How clients are held, as far as the mode has a use for it.
fn held(route: &Route) -> String {
    let hold = show_duration(route.hold);
    let (until, gone) = (until(route), disconnect(route));
    match route.mode {
        Mode::Auto => format!(", hold {hold} ({until}), on_disconnect {gone}"),
        Mode::Async => format!(", hold {hold} (the most that Prefer: wait gets)"),
        Mode::Sync if holds(route) => format!(", hold {hold} (of followers), on_disconnect {gone}"),
        Mode::Sync => format!(", on_disconnect {gone}"),
    }
}

/// Whether anybody waits as long as the hold: on a sync route only who follows a recorded response.
fn holds(route: &Route) -> bool {
    route.mode != Mode::Sync || route.resume
}

fn until(route: &Route) -> &'static str {
    match route.hold_until {
        HoldUntil::Head => "head",
        HoldUntil::Complete => "complete",
    }
}

/// Where requests that can be found again are treated otherwise, both.
fn disconnect(route: &Route) -> &'static str {
    let duplicates = &route.duplicates;
    let findable = route.mode == Mode::Auto && duplicates.key != KeyUse::Ignored;
    match (route.on_disconnect, duplicates.on_disconnect) {
        (OnDisconnect::Continue, _) => "continue",
        (_, OnDisconnect::Continue) if duplicates.dedupe.is_some() => "continue",
        (_, OnDisconnect::Continue) if findable => "cancel, continue with a key",
        _ => "cancel",
    }
}

fn key_use(route: &Route) -> &'static str {
    match route.duplicates.key {
        KeyUse::Optional => "optional",
        KeyUse::Required => "required",
        KeyUse::Ignored => "ignored",
    }
}

fn on_duplicate(route: &Route) -> &'static str {
    match route.duplicates.on_unfinished {
        OnDuplicate::Join => "join",
        OnDuplicate::Conflict => "conflict",
    }
}

fn list(names: &[HeaderName]) -> Vec<&str> {
    names.iter().map(HeaderName::as_str).collect()
}

fn names(names: &[HeaderName]) -> String {
    match names {
        [] => "none".to_owned(),
        names => list(names).join(" "),
    }
}

fn retry_on(route: &Route) -> Vec<&'static str> {
    let on = route.retry.on;
    let words = [
        (on.connect, "connect"),
        (on.timeout, "timeout"),
        (on.server_error, "5xx"),
        (on.too_many, "429"),
    ];
    words
        .into_iter()
        .filter(|(said, _)| *said)
        .map(|(_, word)| word)
        .collect()
}
