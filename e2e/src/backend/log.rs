//! What the backend saw, readable while it goes on.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::wire::{Body, End, Head};

/// One request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The how manieth request of this backend it is, from 0.
    pub index: usize,
    /// The how manieth connection of this backend carried it, from 0.
    pub connection: usize,
    /// The how manieth request of its connection it is, from 0.
    pub nth: usize,
    /// When its head had come.
    pub at: Instant,
    /// The head, raw and split.
    pub head: Head,
    /// The body as far as it was read.
    pub body: Body,
    /// Body bytes of the answer written to the socket so far.
    pub sent: Arc<AtomicU64>,
    /// Whether its script is through.
    pub served: bool,
    /// Whether the gateway has closed its connection.
    pub closed: bool,
}

impl Seen {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.start.split(' ').next().unwrap_or_default()
    }

    /// The request target, byte for byte.
    #[must_use]
    pub fn target(&self) -> &str {
        self.head.start.split(' ').nth(1).unwrap_or_default()
    }

    /// The path without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target().split('?').next().unwrap_or_default()
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.get(name)
    }

    /// All values of a header.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        self.head.all(name)
    }

    /// The trailers as text, names in lower case.
    #[must_use]
    pub fn trailers(&self) -> Vec<(String, String)> {
        self.body.trailer_text()
    }

    /// The job that the gateway sent it for.
    #[must_use]
    pub fn job_id(&self) -> Option<String> {
        self.header("raincheck-job-id")
    }

    /// Which attempt of its job it is, as the gateway says.
    #[must_use]
    pub fn attempt(&self) -> Option<u32> {
        self.header("raincheck-attempt")?.parse().ok()
    }

    /// Whether the body was read to its end, whatever the end was.
    #[must_use]
    pub fn body_ended(&self) -> bool {
        self.body.end != End::Unread
    }

    /// How many bytes of the answer have been written.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

/// The shared log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    changes: Arc<watch::Sender<u64>>,
}

impl Log {
    pub(super) fn new() -> Self {
        Self {
            seen: Arc::default(),
            connections: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(super) fn read<T>(&self, look: impl FnOnce(&[Seen]) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn connected(&self) -> usize {
        self.connections.fetch_add(1, Ordering::SeqCst)
    }

    /// Enters a request and returns it with its number.
    pub(super) fn enter(&self, connection: usize, nth: usize, head: Head) -> Seen {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen {
            index: all.len(),
            connection,
            nth,
            at: Instant::now(),
            head,
            body: Body::unread(),
            sent: Arc::default(),
            served: false,
            closed: false,
        };
        all.push(seen.clone());
        drop(all);
        self.changes.send_modify(|count| *count += 1);
        seen
    }

    pub(super) fn change(&self, index: usize, change: impl FnOnce(&mut Seen)) {
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seen) = all.get_mut(index) {
            change(seen);
        }
        drop(all);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Waits until the log looks right.
    pub(super) async fn until(&self, fact: impl Fn(&[Seen]) -> bool) {
        let mut changes = self.changes.subscribe();
        let _ = changes.wait_for(|_| self.read(&fact)).await;
    }
}
