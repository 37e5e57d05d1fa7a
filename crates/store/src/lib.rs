//! What durability must promise: small traits by capability, and the values they exchange.
//!
//! An engine implements [`Store`]: [`Commit`], [`Jobs`], [`Idempotency`], [`Queue`],
//! [`Deliveries`] and [`Bodies`]. The in-memory model is one, and says what the traits mean; `conformance!` runs the same suite over every
//! engine. Both are behind the feature `testing`.
//!
//! Futures here are cancel-safe in this sense: dropping one gives up the answer, not the work. A
//! change that was handed to [`Commit::commit`] may still become durable.

pub mod bodies;
pub mod commit;
pub mod deliveries;
pub mod error;
pub mod idempotency;
pub mod jobs;
pub mod leases;
pub mod queue;

#[cfg(feature = "testing")]
pub mod conformance;
#[cfg(feature = "testing")]
pub mod model;

use std::future::Future;
use std::pin::Pin;

pub use bodies::{Bodies, Body, BodyId, BodyReader, BodyWriter, Sealed, SealedBody};
pub use commit::{Change, Commit, Put, StoredRequest, StoredResponse};
pub use deliveries::{Deliveries, ToTell};
pub use error::Error;
pub use idempotency::{Idempotency, KeyEntry, NewKey};
pub use jobs::{Filter, Jobs, Page};
pub use queue::{Lease, Overdue, Queue};

/// A future of an engine.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Everything an engine can do.
pub trait Store: Commit + Jobs + Idempotency + Queue + Deliveries + Bodies {
    /// Ends the engine: waits for what was handed to it, then lets go of its files. Calls made
    /// later fail with [`Error::Unavailable`].
    fn close(&self) -> Pending<'_, ()>;

    /// Why the engine has stopped taking changes, if it has: a sync failed or the disk is gone.
    /// The process must not go on acknowledging; it answers 503 and exits.
    fn fault(&self) -> Option<String>;

    /// Why the engine has no room, if it has none: then it takes only changes that make some, and
    /// refuses others with [`Error::Full`] until there is room again.
    fn lacks_room(&self) -> Option<String> {
        None
    }

    /// Resolves when the engine has stopped taking changes; see [`Store::fault`].
    fn faulted(&self) -> Pin<Box<dyn Future<Output = String> + Send + '_>>;
}
