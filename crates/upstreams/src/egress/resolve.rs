//! From a name to addresses.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use raincheck_core::limits::RESOLVING;
use tokio::net::lookup_host;
use tokio::sync::Semaphore;

/// Addresses on their way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolves names.
pub trait Resolve: Send + Sync + 'static {
    /// The addresses of a name, in the order in which to try them.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The system's resolver. Each look-up holds a thread, so their number has a bound of its own: names
/// of callers must not take the threads that upstreams are resolved on.
pub(super) struct System {
    turns: Semaphore,
}

impl Default for System {
    fn default() -> Self {
        Self {
            turns: Semaphore::new(RESOLVING),
        }
    }
}

impl Resolve for System {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
