//! A change on its way to the writer holds on to its bodies, and lets go of them if it never gets
//! there.

use raincheck_store::BodyId;

use crate::change::Prepared;
use crate::shared::Shared;

/// What a change refers to, until it was handed in. Dropped before that, bodies that were given to
/// the change go with it: nobody else knows of them.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    shared: &'a Shared,
    files: [Option<BodyId>; 2],
}

impl<'a> Claim<'a> {
    pub(crate) fn new(shared: &'a Shared, change: &Prepared) -> Self {
        let mut files = change.files();
        let files = [files.next(), files.next()];
        shared.bodies.claimed(files.into_iter().flatten());
        Self { shared, files }
    }

    /// The change was handed in: whoever writes it, or refuses it, lets go.
    pub(crate) fn handed_in(mut self) {
        self.files = [None, None];
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.shared
            .bodies
            .unclaimed(self.files.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use raincheck_core::limits::{BODY_INLINE_BYTES, COMMIT_QUEUE};
    use raincheck_store::conformance::make::{self, at};
    use raincheck_store::{Bodies as _, Body, Change, Commit as _, Put, Store as _};

    use crate::{LocalStore, Options};

    /// A change with a body of its own, and that body's file.
    async fn with_body(store: &LocalStore) -> (Change, raincheck_store::BodyId) {
        let mut body = store.create();
        body.append(make::bytes(BODY_INLINE_BYTES + 1))
            .await
            .unwrap();
        let body = body.finish().await.unwrap();
        let Body::File { id, .. } = body else {
            panic!("a body in a file");
        };
        let put = Put {
            request: Some(Arc::new(make::request(body))),
            ..make::put(make::submitted(1, "r", at(5)))
        };
        (Change::Put(Box::new(put)), id)
    }

    #[tokio::test]
    async fn a_commit_that_is_given_up_while_it_waits_takes_its_body_along() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path(), Options::default()).unwrap();
        let (unasked, first) = with_body(&store).await;
        drop(store.commit(unasked));
        let (waiting, second) = with_body(&store).await;
        for _ in 0..COMMIT_QUEUE {
            store.inbox.room().await.unwrap();
        }
        let mut commit = store.commit(waiting);
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(commit.as_mut().poll(cx)));
        assert!(polled.await.is_pending());
        drop(commit);
        for id in [first, second] {
            let path = crate::body::path_of(store.shared.bodies.root(), id);
            // What is doomed is deleted at once, by a thread of its own.
            assert!(store.shared.bodies.is_doomed(id) || !path.exists());
        }
        store.close().await.unwrap();
    }
}
