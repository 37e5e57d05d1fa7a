//! What one connection is busy with, noted by its parts as they work and read by its watchdog.
//!
//! All of it is touched by one task at a time, but for HTTP/2 streams, which run as tasks of their
//! own; so these are plain relaxed atomics, and cost nothing on the way.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};

use raincheck_exchange::upgrade::Takeover;

use super::arriving::Rest;

/// The counters of one connection.
#[derive(Debug, Default)]
pub(crate) struct Pulse {
    /// Requests given to the handler whose answer is not written yet.
    in_flight: AtomicUsize,
    /// Requests ever given to the handler.
    requests: AtomicU64,
    /// Requests whose heads have arrived. Pipelined ones run ahead of the handler.
    arrived: AtomicU64,
    /// Whether part of another head has arrived.
    mid_head: AtomicBool,
    /// Whether part of the last one's body has not arrived.
    mid_body: AtomicBool,
    /// Bytes ever written to the socket.
    written: AtomicU64,
    /// Whether the socket took fewer bytes than we have.
    write_blocked: AtomicBool,
    /// Whether the client's bytes are no longer read, because they broke a rule.
    refused: AtomicBool,
    /// Whether the client sent too many frames that only make work.
    flooded: AtomicBool,
    /// Whether the next answer is the last one.
    parting: AtomicBool,
    /// Whether nothing is read any more between two requests.
    passing: AtomicBool,
    /// Whether the last request asks for an upgrade and is not answered.
    offered: AtomicBool,
    /// Who takes over the connection after its last answer.
    takeover: OnceLock<Takeover>,
    /// Whoever waits for the answers that come before a refusal, or for that to an upgrade.
    parked: Mutex<Option<Waker>>,
    /// What nobody has read of the last one's body.
    rest: Rest,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For us: a handler is at work. The client owes nothing, however long it takes.
    Working,
    /// For the client to take bytes; with the number it has taken.
    Writing(u64),
    /// For the rest of a request head; with the number of requests before it.
    Head(u64),
    /// For another request; with the number of requests before it.
    Idle(u64),
}

impl Pulse {
    /// What the connection waits for now.
    pub(crate) fn phase(&self) -> Phase {
        let requests = self.requests.load(Relaxed);
        if self.write_blocked.load(Relaxed) {
            Phase::Writing(self.written.load(Relaxed))
        } else if self.is_working() {
            Phase::Working
        } else if requests == 0 || self.mid_head.load(Relaxed) {
            Phase::Head(requests)
        } else {
            Phase::Idle(requests)
        }
    }

    /// What nobody has read of the last request's body.
    pub(super) fn rest(&self) -> &Rest {
        &self.rest
    }

    /// The connection ends: from now on every answer is the last one.
    pub(super) fn part(&self) {
        self.parting.store(true, Relaxed);
    }

    /// The connection goes to another process between two requests: the next one is not read here.
    pub(super) fn pass(&self) {
        self.passing.store(true, Relaxed);
    }

    /// Whether nothing is to be read between two requests, and nothing is being answered.
    pub(crate) fn is_passing(&self) -> bool {
        self.passing.load(Relaxed) && !self.is_working()
    }

    /// Whether the next answer is the last one.
    pub(super) fn is_parting(&self) -> bool {
        self.parting.load(Relaxed)
    }

    /// Whether the connection is between two requests, or before the first one.
    pub(crate) fn is_between(&self) -> bool {
        let partial = self.mid_head.load(Relaxed) || self.mid_body.load(Relaxed);
        !partial && !self.is_working() && !self.write_blocked.load(Relaxed)
    }

    /// Whether a request is being answered.
    fn is_working(&self) -> bool {
        self.in_flight.load(Relaxed) > 0
    }

    /// Whether all requests are answered and the client has taken the answers. If not, the task is
    /// woken when that may have changed.
    pub(crate) fn is_quiet(&self, cx: &Context<'_>) -> bool {
        *self.parked() = Some(cx.waker().clone());
        !self.is_working() && !self.write_blocked.load(Relaxed)
    }

    fn parked(&self) -> MutexGuard<'_, Option<Waker>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits for a quiet connection. Free of cost unless a client was refused.
    fn unpark(&self) {
        if self.refused.load(Relaxed)
            && let Some(waker) = self.parked().take()
        {
            waker.wake();
        }
    }

    /// Notes a write of `count` bytes.
    pub(crate) fn wrote(&self, count: usize) {
        self.written.fetch_add(count as u64, Relaxed);
        if self.write_blocked.load(Relaxed) {
            self.write_blocked.store(false, Relaxed);
            self.unpark();
        }
    }

    /// Notes that the socket is full.
    pub(crate) fn write_blocked(&self) {
        self.write_blocked.store(true, Relaxed);
    }

    /// Notes what has arrived: this many heads, and perhaps a part of the next, or not all of the
    /// last one's body.
    pub(crate) fn arrived(&self, heads: u64, mid_head: bool, mid_body: bool) {
        self.arrived.store(heads, Relaxed);
        self.mid_head.store(mid_head, Relaxed);
        self.mid_body.store(mid_body, Relaxed);
    }

    /// Whether part of the body of this request has not arrived. Never so on HTTP/2.
    pub(crate) fn is_mid_body(&self, flight: &Flight) -> bool {
        flight.number == self.arrived.load(Relaxed) && self.mid_body.load(Relaxed)
    }

    /// Notes that nothing more is read from this client.
    pub(crate) fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    /// Whether nothing more is read from this client.
    pub(crate) fn is_refused(&self) -> bool {
        self.refused.load(Relaxed)
    }

    /// Notes that the last request asks for an upgrade.
    pub(crate) fn offer(&self) {
        self.offered.store(true, Relaxed);
    }

    /// Whether a request that asks for an upgrade has arrived and is not answered.
    pub(crate) fn is_offered(&self) -> bool {
        self.offered.load(Relaxed)
    }

    /// The same. The task is woken when that may have changed.
    pub(crate) fn is_offered_still(&self, cx: &Context<'_>) -> bool {
        *self.parked() = Some(cx.waker().clone());
        self.is_offered()
    }

    /// Notes that the upgrade was refused.
    pub(crate) fn keep(&self) {
        self.offered.store(false, Relaxed);
        if let Some(waker) = self.parked().take() {
            waker.wake();
        }
    }

    /// Notes that the upgrade was granted. Nothing more is read as HTTP.
    pub(crate) fn hand_over(&self, takeover: Takeover) {
        // A second one cannot be: hyper reads no further request.
        _ = self.takeover.set(takeover);
    }

    /// Who takes over the connection, if somebody does.
    pub(crate) fn takeover(&self) -> Option<&Takeover> {
        self.takeover.get()
    }

    /// Notes that the connection ends because of a flood of frames.
    pub(crate) fn flood(&self) {
        self.flooded.store(true, Relaxed);
    }

    /// Whether the connection ends because of a flood of frames.
    pub(crate) fn is_flooded(&self) -> bool {
        self.flooded.load(Relaxed)
    }
}

/// One request in flight; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Flight {
    pulse: Arc<Pulse>,
    number: u64,
}

impl Flight {
    /// Begins a request.
    pub(crate) fn begin(pulse: Arc<Pulse>) -> Self {
        pulse.in_flight.fetch_add(1, Relaxed);
        let number = pulse.requests.fetch_add(1, Relaxed) + 1;
        Self { pulse, number }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.pulse.in_flight.fetch_sub(1, Relaxed);
        self.pulse.unpark();
    }
}
