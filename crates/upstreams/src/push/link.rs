//! What a connection's task and the exchange on it know of each other.
//!
//! hyper runs the connection in a task of its own and says little about it. Whether a byte of the
//! request left us, when a byte last moved, and whether the silence is ours are noted here by the
//! `stream` and the request `body`, and read by the exchange when a timer fires or something
//! breaks. All of it is advice between two tasks, so the atomics are relaxed.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use raincheck_core::outcome::{Failure, Seen};
use tokio::time::Instant;

use Ordering::Relaxed;

/// The task of the connection has not been polled.
const NEW: u8 = 0;
/// It runs, and can be woken.
const RUNS: u8 = 1;
/// It is asked to give the socket back.
const ASKED: u8 = 2;
/// It does so, and ends.
const LEFT: u8 = 3;

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
    /// Whether a byte came since the current request began.
    heard: AtomicBool,
    /// How the connection's task is: [`NEW`] to [`LEFT`].
    task: AtomicU8,
    /// Wakes it.
    waker: Mutex<Option<Waker>>,
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
            heard: AtomicBool::new(false),
            task: AtomicU8::new(NEW),
            waker: Mutex::default(),
            body_failed: OnceLock::new(),
        }
    }

    /// A new request begins.
    pub(super) fn begin(&self) {
        self.wrote.store(false, Relaxed);
        self.heard.store(false, Relaxed);
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
        self.heard.store(true, Relaxed);
        self.note_moved();
    }

    fn note_moved(&self) {
        let micros = self.opened.elapsed().as_micros();
        self.moved
            .store(u64::try_from(micros).unwrap_or(u64::MAX), Relaxed);
    }

    /// The peer's socket took bytes.
    pub(super) fn note_written(&self) {
        self.wrote.store(true, Relaxed);
        self.flushed.store(false, Relaxed);
        self.note_moved();
    }

    /// The peer's socket does not take what there is for it.
    pub(super) fn note_blocked(&self) {
        self.flushed.store(false, Relaxed);
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
            self.note_moved();
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

    /// Asks the connection's task to give the socket back, if the request is wholly sent and nothing
    /// came of its answer. What became of it is known when the task has ended.
    pub(super) fn ask_to_leave(&self) {
        let asked = self.is_waiting()
            && self
                .task
                .compare_exchange(RUNS, ASKED, Ordering::AcqRel, Relaxed)
                .is_ok();
        if asked && let Some(waker) = self.waker().take() {
            waker.wake();
        }
    }

    /// Whether the connection's task is to end now and give the socket back. Asked by that task
    /// between two polls of hyper: nobody else reads or writes, so the answer stays true.
    pub(super) fn leaves(&self, cx: &Context<'_>) -> bool {
        match self.task.load(Ordering::Acquire) {
            RUNS => false,
            ASKED if self.is_waiting() => {
                self.task.store(LEFT, Ordering::Release);
                true
            }
            _ => {
                *self.waker() = Some(cx.waker().clone());
                self.task.store(RUNS, Ordering::Release);
                false
            }
        }
    }

    /// Whether the task has left hyper on its own account.
    pub(super) fn has_left(&self) -> bool {
        self.task.load(Ordering::Acquire) == LEFT
    }

    /// Another task has the connection from now on.
    pub(super) fn passes_on(&self) {
        self.task.store(NEW, Ordering::Release);
    }

    /// Whether the peer has all of the request, and not a byte of its answer has come.
    fn is_waiting(&self) -> bool {
        self.seen() == Seen::All && !self.heard.load(Relaxed)
    }

    fn waker(&self) -> MutexGuard<'_, Option<Waker>> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why our side could not produce the request body, if that is what happened.
    pub(super) fn body_failure(&self) -> Option<&Failure> {
        self.body_failed.get()
    }
}
