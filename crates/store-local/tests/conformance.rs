//! The engine keeps every promise of the store's traits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use raincheck_store::Store;
use raincheck_store::conformance::Engine;
use raincheck_store_local::{LocalStore, Options};

struct Disk(tempfile::TempDir);

impl Engine for Disk {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(LocalStore::open(self.0.path(), Options::default()).unwrap())
    }
}

raincheck_store::conformance!(Disk(tempfile::tempdir().unwrap()));
