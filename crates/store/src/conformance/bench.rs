//! A store on the bench: opened, and opened anew where a test pauses.

use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use raincheck_core::id::JobId;
use raincheck_core::job::{Event, Job, apply};
use raincheck_core::time::Timestamp;

use super::{Engine, make};
use crate::{Body, BodyReader, Change, Store, StoredRequest};

/// The store under test.
pub struct Bench<E> {
    engine: E,
    store: Option<Arc<dyn Store>>,
    reopens: bool,
}

impl<E> Deref for Bench<E> {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_deref().unwrap()
    }
}

impl<E: Engine> Bench<E> {
    /// The store stays open through the test.
    pub async fn in_one_life(engine: E) -> Self {
        let store = Some(engine.open().await);
        Self {
            engine,
            store,
            reopens: false,
        }
    }

    /// The store is closed and opened anew at every pause.
    pub async fn reopened(engine: E) -> Self {
        let bench = Self::in_one_life(engine).await;
        Self {
            reopens: true,
            ..bench
        }
    }

    /// A moment that a store must survive. Leases, writers and readers do not.
    pub async fn pause(&mut self) {
        if self.reopens {
            self.reopen().await;
        }
    }

    /// Closes the store and opens it anew.
    pub async fn reopen(&mut self) {
        self.close().await.unwrap();
        self.open_anew().await;
    }

    /// Opens a store anew that the test has closed.
    pub async fn open_anew(&mut self) {
        self.store = None;
        self.store = Some(self.engine.open().await);
    }

    /// A handle for tasks of the test; dropped before the next pause.
    pub fn handle(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().unwrap())
    }

    /// Stores a new queued job with a small request. Higher numbers are newer.
    pub async fn accept(&self, number: u8, route: &str, now: Timestamp) -> Job {
        let request = make::request(Body::Inline(Bytes::from_static(b"please")));
        self.accept_with(number, route, now, request).await
    }

    /// The same with a request of the test's own.
    pub async fn accept_with(
        &self,
        number: u8,
        route: &str,
        now: Timestamp,
        request: StoredRequest,
    ) -> Job {
        let mut put = make::put(make::submitted(number, route, now));
        put.request = Some(Arc::new(request));
        let job = put.job.clone();
        self.commit(Change::Put(Box::new(put))).await.unwrap();
        job
    }

    /// Lets `event` happen to a job as it is stored; none: it is forgotten.
    pub async fn happen(&self, job: JobId, event: Event, now: Timestamp) -> Option<Job> {
        let stored = self.job(job).await.unwrap().unwrap();
        let transition = apply(&stored, &event, now).unwrap();
        let next = transition.next.clone();
        let change = make::change(job, transition);
        self.commit(change).await.unwrap();
        next
    }

    /// Lets `event` happen to a job that stays.
    pub async fn becomes(&self, job: &Job, event: Event, now: Timestamp) -> Job {
        self.happen(job.id(), event, now).await.unwrap()
    }

    /// Writes and ends a body of `len` bytes.
    pub async fn body(&self, len: usize) -> Body {
        let mut writer = self.create();
        writer.append(make::bytes(len)).await.unwrap();
        writer.finish().await.unwrap()
    }

    /// All bytes of a stored body.
    pub async fn bytes_of(&self, body: &Body) -> Vec<u8> {
        let reader = self.open(body).await.unwrap();
        read_from(&*reader, 0, usize::MAX).await
    }
}

/// What a reader has from `offset` on, asked for in pieces of at most `limit`.
pub async fn read_from(reader: &dyn BodyReader, offset: u64, limit: usize) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let at = offset + all.len() as u64;
        let piece = reader.read(at, limit).await.unwrap();
        assert!(piece.len() <= limit, "more bytes than asked for");
        if piece.is_empty() {
            return all;
        }
        all.extend_from_slice(&piece);
    }
}
