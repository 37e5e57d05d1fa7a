//! Keep waiting, relay, or hand out a ticket? And how long does this client wait?

use std::time::Duration;

use crate::prefer::Prefer;
use crate::route::{HoldUntil, Mode, Route};

/// How a request of an auto or async route is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Relay, whatever happens.
    Relay,
    /// Forward at once and keep the client for this long.
    Hold(Duration),
    /// Store, run from the queue; hand out the ticket unless it is answered within this time.
    Queue(Duration),
}

/// Longer than any exchange: only its own timeout ends it.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// What a client gets, given the route and what it prefers. A client's `wait` shortens the hold
/// and never lengthens it; `respond-async` without `wait` means that a ticket is welcome at once.
/// On an async route `wait` asks for the answer itself if it comes within that time.
pub fn plan(route: &Route, prefer: Prefer) -> Plan {
    match route.mode {
        Mode::Sync if route.resume => Plan::Hold(FOR_EVER),
        Mode::Sync => Plan::Relay,
        Mode::Async => Plan::Queue(prefer.wait.unwrap_or_default().min(route.hold)),
        Mode::Auto => match (prefer.respond_async, prefer.wait) {
            (true, None) => Plan::Queue(Duration::ZERO),
            (_, Some(wait)) => Plan::Hold(wait.min(route.hold)),
            (false, None) => Plan::Hold(route.hold),
        },
    }
}

/// How far a response has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing yet.
    Waiting,
    /// The head is known.
    Head,
    /// All of it is known, or the exchange has failed.
    Complete,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Wait,
    /// Give the client the response.
    Relay,
    /// Give the client a ticket.
    Ticket,
}

/// Decides. A response that is there when the hold ends is relayed: of two things true at once, the
/// answer wins.
pub fn step(until: HoldUntil, progress: Progress, hold_over: bool) -> Step {
    match (until, progress) {
        (_, Progress::Complete) | (HoldUntil::Head, Progress::Head) => Step::Relay,
        _ if hold_over => Step::Ticket,
        _ => Step::Wait,
    }
}
