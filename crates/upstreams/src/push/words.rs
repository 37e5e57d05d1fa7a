//! What went wrong on the wire, in words for whoever is called at three in the morning, and as the
//! typed cause that retries go by. Nothing here shows what a request or a response contains.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use raincheck_core::limits;
use raincheck_core::outcome::{Cause, Failure, Seen};
use raincheck_core::route::Upstream;

use super::link::Link;

/// What was expected of the backend when it broke.
#[derive(Debug, Clone, Copy)]
pub(super) enum Phase {
    /// Its answer to begin.
    Head,
    /// Its answer to go on.
    Body,
}

/// There is no connection.
pub(super) fn unreachable(detail: String) -> Failure {
    failure(Cause::Connect, Seen::Unreached, detail)
}

/// Connecting took too long.
pub(super) fn too_slow(upstream: &Upstream, within: Duration) -> Failure {
    let authority = upstream.authority();
    unreachable(format!("no connection to {authority} within {within:?}"))
}

/// TLS agreed on another version of HTTP than the last time. Nothing was sent.
pub(super) fn changed_its_mind() -> Failure {
    unreachable("the backend speaks another version of HTTP than before".to_owned())
}

/// No exchange ended in time for this one to begin.
pub(super) fn all_busy(upstream: &Upstream, within: Duration) -> Failure {
    let authority = upstream.authority();
    let detail = format!("all connections allowed to {authority} were busy for {within:?}");
    failure(Cause::Busy, Seen::Unreached, detail)
}

/// No server may be asked.
pub(super) fn nobody(group: &str) -> Failure {
    let detail = format!("no server of {group} can be used now");
    failure(Cause::NoUpstream, Seen::Unreached, detail)
}

/// A new connection was closed before it took the request.
pub(super) fn closed_at_once() -> Failure {
    let detail = "the backend closed the connection before the request was sent".to_owned();
    failure(Cause::Broken, Seen::Unsent, detail)
}

/// The answer is not HTTP, or not safely so.
pub(super) fn not_http(detail: &str) -> Failure {
    let detail = format!("the backend's answer is not HTTP: {detail}");
    failure(Cause::Broken, Seen::Answering, detail)
}

/// The task of the connection has ended without giving it back: the process stops.
pub(super) fn lost(link: &Link) -> Failure {
    let detail = "the connection to the backend was lost".to_owned();
    failure(Cause::Broken, seen(link, Phase::Head), detail)
}

/// The backend was silent for too long.
pub(super) fn silent(idle: Duration, link: &Link, phase: Phase) -> Failure {
    let detail = match phase {
        Phase::Head => format!("the backend sent no answer and was silent for {idle:?}"),
        Phase::Body => format!("the backend was silent for {idle:?} in the middle of its answer"),
    };
    failure(Cause::Timeout, seen(link, phase), detail)
}

/// Our side could not produce the request's body.
pub(super) fn request_body(error: &(dyn Error + 'static)) -> Failure {
    let detail = format!("the request's body ended early: {}", innermost(error));
    failure(Cause::Cancelled, Seen::Part, detail)
}

/// The connection failed during an exchange.
pub(super) fn broken(error: &hyper::Error, link: &Link, phase: Phase) -> Failure {
    if let Some(failure) = link.body_failure() {
        return failure.clone();
    }
    if error.is_body_write_aborted() {
        let detail = "the request's body was shorter than its Content-Length".to_owned();
        return failure(Cause::Cancelled, Seen::Part, detail);
    }
    if error.is_parse_too_large() {
        return not_http(&format!(
            "its head is larger than {} bytes or {} fields",
            limits::RESPONSE_HEAD_BYTES,
            limits::RESPONSE_HEADERS
        ));
    }
    if error.is_parse() {
        return not_http(&error.to_string());
    }
    let detail = match (source_io(error), phase) {
        (Some(io), phase) => io_detail(io, phase),
        (None, Phase::Head) if error.is_incomplete_message() || error.is_canceled() => {
            "the backend closed the connection without an answer".to_owned()
        }
        (None, Phase::Head) => format!("the connection to the backend broke: {error}"),
        (None, Phase::Body) => {
            "the connection to the backend broke before its answer was complete".to_owned()
        }
    };
    failure(Cause::Broken, seen(link, phase), detail)
}

/// What an HTTP/2 peer says of a request that it has not looked at (RFC 9113 section 8.7): it said
/// goodbye before it, or refused its stream.
pub(super) fn unprocessed(error: &hyper::Error) -> Option<Failure> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(error) = source.downcast_ref::<h2::Error>() {
            let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
            let untouched = error.is_remote() && (error.is_go_away() || refused);
            let detail = || format!("the backend did not take the request: {error}");
            return untouched.then(|| failure(Cause::Broken, Seen::Unsent, detail()));
        }
        next = source.source();
    }
    None
}

/// How far the request had come.
fn seen(link: &Link, phase: Phase) -> Seen {
    match phase {
        Phase::Head => link.seen(),
        Phase::Body => Seen::Answering,
    }
}

fn io_detail(error: &io::Error, phase: Phase) -> String {
    match (error.kind(), phase) {
        (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, Phase::Head) => {
            "the backend reset the connection without an answer".to_owned()
        }
        (ErrorKind::ConnectionReset | ErrorKind::BrokenPipe, Phase::Body) => {
            "the backend reset the connection before its answer was complete".to_owned()
        }
        (ErrorKind::UnexpectedEof, Phase::Head) => {
            "the backend closed the connection without an answer".to_owned()
        }
        (ErrorKind::UnexpectedEof, Phase::Body) => {
            "the backend closed the connection before its answer was complete".to_owned()
        }
        (ErrorKind::InvalidData | ErrorKind::InvalidInput, _) => {
            format!("the backend's answer is not HTTP: {error}")
        }
        (ErrorKind::TimedOut, _) => "the backend's host does not respond any more".to_owned(),
        _ => format!("the connection to the backend broke: {error}"),
    }
}

fn failure(cause: Cause, seen: Seen, mut detail: String) -> Failure {
    if detail.len() > limits::DETAIL_BYTES {
        detail.truncate(detail.floor_char_boundary(limits::DETAIL_BYTES));
    }
    Failure {
        cause,
        seen,
        detail,
    }
}

/// The I/O error that an error comes from.
fn source_io(error: &hyper::Error) -> Option<&io::Error> {
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(io) = source.downcast_ref() {
            return Some(io);
        }
        next = source.source();
    }
    None
}

/// What an error comes from in the end: the outer ones say where, this one says what.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
