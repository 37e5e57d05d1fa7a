//! A route for a method that looks like another one, mistyped: nobody will ever send it.

use raincheck_core::route::Route;

use crate::error::{Code, Finding, Findings};
use crate::keys;
use crate::route::Written;

/// Methods that are in use: RFC 9110 and RFC 5789, then those of WebDAV and of caches.
const KNOWN: [&str; 24] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "CONNECT",
    "OPTIONS",
    "TRACE",
    "PATCH",
    "ACL",
    "COPY",
    "LOCK",
    "MKCALENDAR",
    "MKCOL",
    "MOVE",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "QUERY",
    "REPORT",
    "SEARCH",
    "UNLOCK",
    "LINK",
    "UNLINK",
];

/// Own methods are fine; only what is nearly a known one is told.
pub(super) fn check(written: &Written, route: &Route, findings: &mut Findings) {
    let Some(given) = &written.pattern else {
        return;
    };
    for method in route.pattern.methods() {
        if KNOWN.contains(&method.as_str()) {
            continue;
        }
        let near = keys::nearest(method.as_str(), KNOWN);
        if near.is_some() {
            let message = format!("route '{}' is for a method called {method}", route.name);
            let finding = Finding::warning(Code::BadValue, message).about(given);
            findings.push(finding.nearest(near));
        }
    }
}
