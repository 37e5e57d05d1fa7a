//! Random operations on two engines at once: whatever one answers, the other must. The model being
//! one of them, this says that an engine means the same.
//!
//! Times are chosen so that no two jobs are ever due, or over, at the same moment: which of such
//! two comes first is not promised.

mod ops;
mod pair;
mod sight;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::TestRunner;

pub use ops::{Op, View, What, op};
pub use pair::history;

use super::Engine;

/// Runs `cases` random histories on two engines and compares all that can be seen of them. The
/// environment variable `PROPTEST_CASES` overrides the number.
pub fn histories<A: Engine, B: Engine>(
    cases: u32,
    engine: impl Fn() -> A,
    measure: impl Fn() -> B,
) {
    let mut config = ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 500,
        ..ProptestConfig::default()
    };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let ops = proptest::collection::vec(op(), 1..60);
    let outcome = TestRunner::new(config).run(&ops, |ops| {
        runtime.block_on(history(engine(), measure(), &ops));
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("the engines differ: {error}");
    }
}
