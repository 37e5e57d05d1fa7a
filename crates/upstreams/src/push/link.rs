//! What a connection's task and the exchange on it know of each other.
//!
//! hyper runs the connection in a task of its own and says little about it. Whether a byte of the
//! request left us, when a byte last moved, and whether the silence is ours are noted here by the
//! `stream` and the request `body`, and read by the exchange when a timer fires or something
//! breaks. All of it is advice between two tasks, so the atomics are relaxed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use raincheck_core::outcome::{Failure, Seen};
use tokio::time::Instant;

/// Notes about one connection.
#[derive(Debug)]
pub(super) struct Link {
    opened: Instant,
    /// Microseconds after `opened` at which a byte last moved, either way.
    moved: AtomicU64,
    /// Whether a byte of the current request was written.
    wrote: AtomicBool,
    /// Whether all that was given to the socket so far was taken by it.
    flushed: AtomicBool,
    /// Whether a streamed request body is not yet wholly taken.
    body_open: AtomicBool,
    /// Whether that body was dropped before its end.
    body_cut: AtomicBool,
    /// Whether that body is waiting for our side.
    body_waits: AtomicBool,
    /// Whether the peer does not take our bytes any more.
    deaf: AtomicBool,
    /// Whether an exchange is on the connection.
    busy: AtomicBool,
    /// Whether the connection was dropped during one.
    killed: AtomicBool,
    /// Whether the socket is to be looked at before it is used again.
    doubted: AtomicBool,
    /// Why our side could not produce the request body.
    body_failed: OnceLock<Failure>,
}

impl Link {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            moved: AtomicU64::new(0),
            wrote: AtomicBool::new(false),
            flushed: AtomicBool::new(false),
            body_open: AtomicBool::new(false),
            body_cut: AtomicBool::new(false),
            body_waits: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            busy: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            body_failed: OnceLock::new(),
        }
    }

    /// A new request begins.
    pub(super) fn begin(&self) {
        self.wrote.store(false, Relaxed);
        self.body_cut.store(false, Relaxed);
        self.busy.store(true, Relaxed);
    }

    /// The exchange is over, both its request and its response.
    pub(super) fn rest(&self) {
        self.busy.store(false, Relaxed);
    }

    /// The connection is dropped.
    pub(super) fn kill(&self) {
        self.killed.store(self.busy.load(Relaxed), Relaxed);
    }

    /// Whether the connection was dropped in the middle of an exchange.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Bytes came from the peer.
    pub(super) fn note_read(&self) {
        let micros = self.opened.elapsed().as_micros();
        self.moved
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Relaxed);
    }

    /// The peer's socket took bytes.
    pub(super) fn note_written(&self) {
        self.wrote.store(true, Relaxed);
        self.flushed.store(false, Relaxed);
        self.note_read();
    }

    /// The peer's socket took all that there was for it.
    pub(super) fn note_flushed(&self) {
        self.flushed.store(true, Relaxed);
    }

    /// When it began.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// When a byte last moved.
    pub(super) fn moved(&self) -> Instant {
        self.opened + Duration::from_micros(self.moved.load(Relaxed))
    }

    /// How far the current request has come.
    pub(super) fn seen(&self) -> Seen {
        if !self.wrote.load(Relaxed) {
            Seen::Unsent
        } else if self.flushed.load(Relaxed)
            && self.is_request_taken()
            && !self.body_cut.load(Relaxed)
        {
            Seen::All
        } else {
            Seen::Part
        }
    }

    /// The request has a body that is produced as it is sent.
    pub(super) fn body_begins(&self) {
        self.body_open.store(true, Relaxed);
        self.body_waits.store(false, Relaxed);
    }

    /// That body is waiting for our side, or is not any more: then it is the peer's turn again.
    pub(super) fn body_waits(&self, waits: bool) {
        if self.body_waits.swap(waits, Relaxed) && !waits {
            self.note_read();
        }
    }

    /// Our side could not produce it.
    pub(super) fn body_failed(&self, failure: Failure) {
        self.body_failed.get_or_init(|| failure);
    }

    /// It is over: taken to its end, or not wanted any more.
    pub(super) fn body_ends(&self, whole: bool) {
        self.body_cut.store(!whole, Relaxed);
        self.body_open.store(false, Relaxed);
        self.body_waits.store(false, Relaxed);
    }

    /// The peer does not take our bytes any more.
    pub(super) fn goes_deaf(&self) {
        self.deaf.store(true, Relaxed);
    }

    /// The connection has been idle for a while: the next read is to ask the socket itself.
    pub(super) fn doubt(&self) {
        self.doubted.store(true, Relaxed);
    }

    /// Whether the socket is to be asked; says so once.
    pub(super) fn take_doubt(&self) -> bool {
        self.doubted.load(Relaxed) && self.doubted.swap(false, Relaxed)
    }

    /// Whether the silence is ours: the peer is waiting for a request body that we do not have.
    pub(super) fn waits_for_us(&self) -> bool {
        self.body_waits.load(Relaxed)
    }

    /// Whether the request was taken by the connection, all of it.
    pub(super) fn is_request_taken(&self) -> bool {
        !self.body_open.load(Relaxed) && !self.deaf.load(Relaxed)
    }

    /// Why our side could not produce the request body, if that is what happened.
    pub(super) fn body_failure(&self) -> Option<&Failure> {
        self.body_failed.get()
    }
}
