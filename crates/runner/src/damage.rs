//! Stored bodies that turn out to be damaged while they are read, which is long after they were
//! opened: whoever reads them gets the error, and who owns the job learns of it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use raincheck_core::outcome::{Cause, Failure};
use raincheck_exchange::RequestBody;
use raincheck_store::{BodyReader, Error as StoreError, Pending};

use crate::begin::Ready;

/// A reader that tells of damage.
pub(crate) struct Watched<F> {
    inner: Arc<dyn BodyReader>,
    tell: F,
}

impl<F: Fn(&str) + Send + Sync> Watched<F> {
    pub(crate) fn new(inner: Arc<dyn BodyReader>, tell: F) -> Self {
        Self { inner, tell }
    }
}

impl<F: Fn(&str) + Send + Sync> BodyReader for Watched<F> {
    fn read(&self, offset: u64, limit: usize) -> Pending<'_, Bytes> {
        Box::pin(async move {
            let read = self.inner.read(offset, limit).await;
            if let Err(StoreError::Corrupt(detail)) = &read {
                (self.tell)(detail);
            }
            read
        })
    }
}

/// What was found damaged of a request while it was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Damage(Arc<OnceLock<String>>);

impl Damage {
    /// The cause behind a failed exchange: to the upstream a request that breaks off because our
    /// disk lost the rest of it is a broken connection.
    pub(crate) fn behind(&self, failure: Failure) -> Failure {
        match self.0.get() {
            Some(detail) => Failure {
                cause: Cause::Damaged,
                detail: detail.clone(),
                ..failure
            },
            None => failure,
        }
    }
}

impl Ready {
    /// The same request, and what will be found damaged of it.
    pub(crate) fn watched(mut self) -> (Self, Damage) {
        let damage = Damage::default();
        if let RequestBody::Stored { reader, .. } = &mut self.body {
            let found = damage.clone();
            let inner = Arc::clone(reader);
            *reader = Arc::new(Watched::new(inner, move |detail: &str| {
                // The first damage is the one that broke the request off.
                _ = found.0.set(detail.to_owned());
            }));
        }
        (self, damage)
    }
}
