//! Rules across keys: listeners that meet, routes that collide. Those of one route are in `times`.

mod methods;
mod rewrite;
mod room;
mod times;

use std::net::{IpAddr, SocketAddr};

use raincheck_core::route::{Route, RouteTable, TableError, Upstream};

use crate::error::{Code, Finding, Findings};
use crate::plan::{self, Address};
use crate::section::Given;
use crate::upstream::Upstreams;
use crate::{route, server, webhooks};

/// Every rule.
pub(crate) fn all(
    server: &server::Written,
    admin: &server::AdminListen,
    webhooks: &plan::Webhooks,
    routes: &[route::Written],
    upstreams: &Upstreams,
    findings: &mut Findings,
) {
    listeners(server, findings);
    admin_listener(server, admin, findings);
    rewrite::cors(&server.cors, findings);
    let mut made: Vec<(&route::Written, Route)> = Vec::with_capacity(routes.len());
    for written in routes {
        if let Some(route) = written.sketch(server.behind(), upstreams) {
            times::check(written, &route, server.behind.as_ref(), findings);
            rewrite::check(written, &route, &server.cors, findings);
            room::check(written, &route, findings);
            methods::check(written, &route, findings);
            webhooks::check(webhooks, written, &route, findings);
            loops(server, written, &route, findings);
            made.push((written, route));
        }
    }
    table(made, findings);
}

/// Whether two listeners want the same place.
fn meet(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => meet_on_tcp(*one, *other),
        _ => one == other,
    }
}

/// Whether two listeners want one port of one address. On Linux any address takes them all.
fn meet_on_tcp(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    let family = one.is_ipv4() == other.is_ipv4();
    one.port() == other.port() && one.port() != 0 && (one.ip() == other.ip() || (any && family))
}

fn listeners(server: &server::Written, findings: &mut Findings) {
    let Some(given) = &server.listen else { return };
    for (index, listener) in given.value.iter().enumerate() {
        let address = &listener.address;
        if given.value[..index]
            .iter()
            .any(|earlier| meet(&earlier.address, address))
        {
            findings.push(
                Finding::error(
                    Code::Conflict,
                    format!("{address} is taken by an earlier address"),
                )
                .about(given),
            );
        }
    }
}

fn admin_listener(server: &server::Written, given: &server::AdminListen, findings: &mut Findings) {
    let Some(admin) = server::admin_listen(given).map(|listener| listener.address) else {
        return;
    };
    let at = given.as_ref().map(|given| &given.at);
    let clients = server.listen.as_ref().map(|given| &given.at);
    let taken = server.listen().iter().any(|one| meet(&one.address, &admin));
    if taken {
        let message = format!("the admin listener and the server both want {admin}");
        let finding = Finding::error(Code::Conflict, message)
            .key("admin.listen")
            .help("give admin.listen another port, or \"off\"");
        findings.push(match at {
            Some(at) => finding.at(at).related(clients, "the server listens here"),
            None => finding.at_option(clients),
        });
    } else if let Address::Tcp(admin) = admin
        && !admin.ip().is_loopback()
    {
        findings.push(
            Finding::warning(
                Code::Conflict,
                format!("the admin listener is open to {}", audience(admin)),
            )
            .at_option(at)
            .key("admin.listen")
            .help("it asks for no password: make sure that only operators reach it"),
        );
    }
}

fn audience(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        "every network of this machine".to_owned()
    } else {
        format!("the network of {}", address.ip())
    }
}

/// A route whose upstream is this very gateway.
fn loops(
    server: &server::Written,
    written: &route::Written,
    route: &Route,
    findings: &mut Findings,
) {
    let Some(given) = &written.upstream else {
        return;
    };
    let listen = server.listen();
    let back = |upstream| {
        listen.iter().any(|one| match &one.address {
            Address::Tcp(address) => reaches(upstream, *address),
            Address::Unix(_) | Address::Passed(_) => false,
        })
    };
    if route.upstream.upstreams().any(back) {
        let message = format!(
            "route '{}' sends its requests back to this gateway",
            route.name
        );
        findings.push(
            Finding::error(Code::Conflict, message)
                .about(given)
                .related(
                    server.listen.as_ref().map(|given| &given.at),
                    "it listens here",
                ),
        );
    }
}

fn reaches(upstream: &Upstream, listen: SocketAddr) -> bool {
    if upstream.socket().is_some() {
        return false;
    }
    let local = match upstream.host.parse::<IpAddr>() {
        Ok(ip) => {
            let all = listen.ip().is_unspecified() && listen.is_ipv4() == ip.is_ipv4();
            ip == listen.ip() || (all && (ip.is_loopback() || ip.is_unspecified()))
        }
        Err(_) => {
            upstream.host == "localhost"
                && (listen.ip().is_loopback() || listen.ip().is_unspecified())
        }
    };
    local && upstream.port == listen.port()
}

/// Names and patterns: each once.
fn table(made: Vec<(&route::Written, Route)>, findings: &mut Findings) {
    let (written, routes): (Vec<_>, Vec<_>) = made.into_iter().unzip();
    let Err(errors) = RouteTable::new(routes) else {
        return;
    };
    for error in errors {
        let message = error.to_string();
        findings.push(match error {
            TableError::SameName { first, second, .. } => {
                let [first, second] = [first, second].map(|index| written[index].name.as_ref());
                clash(message, first, second, "the earlier route")
            }
            TableError::SamePattern { first, second, .. } => {
                let [first, second] = [first, second].map(|index| written[index].pattern.as_ref());
                clash(message, first, second, "the earlier route")
            }
        });
    }
}

fn clash<T>(
    message: String,
    first: Option<&Given<T>>,
    second: Option<&Given<T>>,
    label: &str,
) -> Finding {
    Finding::error(Code::Conflict, message)
        .at_option(second.map(|given| &given.at))
        .key(second.map(|given| given.key.clone()).unwrap_or_default())
        .related(first.map(|given| &given.at), label)
}
