//! The model passes the suite that it is the measure of.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::{Arc, Mutex};

use raincheck_store::Store;
use raincheck_store::conformance::Engine;
use raincheck_store::model::ModelStore;

#[derive(Default)]
struct Memory(Mutex<ModelStore>);

impl Engine for Memory {
    async fn open(&self) -> Arc<dyn Store> {
        let mut last = self.0.lock().unwrap();
        *last = last.crash();
        Arc::new(last.clone())
    }
}

raincheck_store::conformance!(Memory::default());

#[test]
fn random_histories_mean_the_same_twice() {
    raincheck_store::conformance::histories::histories(64, Memory::default, Memory::default);
}
