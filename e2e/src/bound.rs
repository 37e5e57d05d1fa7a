//! Every wait of a test ends: with what it waited for, or with a failure that says what was
//! missing.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

/// How long a test waits for something that should happen soon. Generous, because the machine may
/// be busy; it decides only how late a failure is reported, never whether a test passes.
pub const WAIT: Duration = Duration::from_secs(60);

/// Awaits `future` and fails the test, naming `what`, when it takes longer than [`WAIT`].
///
/// # Panics
/// When the time is over.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    within_time(WAIT, what, future).await
}

/// Like [`within`], with a bound of its own (bodies of gigabytes need more).
///
/// # Panics
/// When the time is over.
pub async fn within_time<T>(bound: Duration, what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(bound, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {bound:?} in vain for: {what}"),
    }
}

/// Looks again and again until `fact` holds. For facts that only the kernel knows (open sockets,
/// memory) and that nobody announces.
///
/// # Panics
/// When the fact does not hold within [`WAIT`].
pub async fn until(what: &str, mut fact: impl FnMut() -> bool) {
    within(what, async {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        while !fact() {
            tick.tick().await;
        }
    })
    .await;
}

/// Takes the value out, or fails the test with a sentence.
pub trait Must<T> {
    /// The value; `what` says what was expected.
    fn must(self, what: &str) -> T;
}

impl<T> Must<T> for Option<T> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Some(value) => value,
            None => panic!("missing: {what}"),
        }
    }
}

impl<T, E: Debug> Must<T> for Result<T, E> {
    #[track_caller]
    fn must(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
}
