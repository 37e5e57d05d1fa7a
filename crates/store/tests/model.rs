//! The model passes the suite that it is the measure of.

use raincheck_store::conformance::Memory;
use raincheck_store::conformance::histories::histories;

raincheck_store::conformance!(Memory::default());

#[test]
fn random_histories_mean_the_same_twice() {
    histories(64, Memory::default, Memory::default);
}
