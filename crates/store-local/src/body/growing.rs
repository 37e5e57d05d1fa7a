//! Writing a body: appended, then finished or sealed.

use std::sync::Arc;

use bytes::Bytes;
use raincheck_store::bodies::{Sealed, SealedBody};
use raincheck_store::{self as store, Body, BodyReader, BodyWriter, Pending};
use tokio::sync::OnceCell;

use super::blocking;
use super::growth::Growth;
use super::reader::Follower;

/// Deletes the body when dropped, unless it was given away or a change refers to it.
struct Owned {
    growth: Arc<Growth>,
    kept: bool,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.kept {
            self.growth.abandon();
        }
    }
}

impl Owned {
    async fn persist(&self) -> Result<Body, store::Error> {
        let growth = Arc::clone(&self.growth);
        if growth.is_small() {
            return growth.persist();
        }
        blocking(move || growth.persist()).await
    }
}

/// A body being written.
pub(super) struct Growing {
    owned: Owned,
}

impl Growing {
    pub(super) fn new(growth: Arc<Growth>) -> Self {
        Self {
            owned: Owned {
                growth,
                kept: false,
            },
        }
    }
}

impl BodyWriter for Growing {
    fn append(&mut self, bytes: Bytes) -> Pending<'_, ()> {
        Box::pin(async move {
            if self.owned.growth.push(bytes)? {
                let growth = Arc::clone(&self.owned.growth);
                blocking(move || growth.spill()).await?;
            }
            Ok(())
        })
    }

    fn len(&self) -> u64 {
        self.owned.growth.len()
    }

    fn reader(&self) -> Box<dyn BodyReader> {
        Box::new(Follower::new(&self.owned.growth))
    }

    fn finish(self: Box<Self>) -> Pending<'static, Body> {
        Box::pin(async move {
            let Self { mut owned } = *self;
            let body = owned.persist().await?;
            owned.growth.give();
            owned.kept = true;
            Ok(body)
        })
    }

    fn seal(self: Box<Self>) -> Pending<'static, Sealed> {
        Box::pin(async move {
            let whole = Whole {
                owned: self.owned,
                persisted: OnceCell::new(),
            };
            Ok(Arc::new(whole) as Sealed)
        })
    }
}

/// A body that is whole but not yet durable.
struct Whole {
    owned: Owned,
    persisted: OnceCell<Body>,
}

impl SealedBody for Whole {
    fn len(&self) -> u64 {
        self.owned.growth.len()
    }

    fn reader(&self) -> Box<dyn BodyReader> {
        Box::new(Follower::new(&self.owned.growth))
    }

    fn persist(&self) -> Pending<'_, Body> {
        Box::pin(async move {
            let persisted = self.persisted.get_or_try_init(|| self.owned.persist());
            persisted.await.cloned()
        })
    }
}
