//! A route that may have more in flight than its servers have connections for.

use raincheck_core::limits::UPSTREAM_CONNECTIONS;
use raincheck_core::route::upstream::Protocol;
use raincheck_core::route::{Route, Upstream};

use crate::error::{Code, Finding, Findings};
use crate::route::Written;

/// What is beyond the connections would wait, and then be refused. One of HTTP/2 carries many.
pub(super) fn check(written: &Written, route: &Route, findings: &mut Findings) {
    let Some(given) = &written.concurrency else {
        return;
    };
    let mut servers = route.upstream.upstreams().peekable();
    if servers.peek().is_none() {
        return;
    }
    let Some(room) = servers.map(room).sum::<Option<u64>>() else {
        return;
    };
    if u64::from(route.concurrency) > room {
        let message = format!(
            "`concurrency` of route '{}' is {}, and its servers take {room} connections",
            route.name, route.concurrency
        );
        let help = "set `connections` of its [[upstream]]: it holds for each server";
        let finding = Finding::warning(Code::Conflict, message).about(given);
        findings.push(finding.help(help));
    }
}

/// How many exchanges a server takes at once; none: that is up to the server.
fn room(server: &Upstream) -> Option<u64> {
    let own = server.reach.as_ref().and_then(|reach| reach.connections);
    match server.protocol() {
        Protocol::H1 => Some(own.map_or(UPSTREAM_CONNECTIONS as u64, u64::from)),
        Protocol::H2 | Protocol::Auto => None,
    }
}
