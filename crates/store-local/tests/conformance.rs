//! The engine keeps every promise of the store's traits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use raincheck_store::Store;
use raincheck_store::conformance::histories::histories;
use raincheck_store::conformance::{Engine, Memory};
use raincheck_store_local::{LocalStore, Options};

struct Disk(tempfile::TempDir);

impl Engine for Disk {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(LocalStore::open(self.0.path(), Options::default()).unwrap())
    }
}

raincheck_store::conformance!(Disk(tempfile::tempdir().unwrap()));

#[test]
fn random_histories_mean_what_they_mean_in_the_model() {
    histories(32, || Disk(tempfile::tempdir().unwrap()), Memory::default);
}
