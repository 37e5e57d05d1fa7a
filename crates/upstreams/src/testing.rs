//! Connections over a simulated network.

use std::pin::Pin;

use raincheck_core::route::Upstream;
use tokio::io::{AsyncRead, AsyncWrite};

/// One connection to an upstream.
pub trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// Whether the end of the connection, or anything else, lies unread.
    fn has_news(&self) -> bool;

    /// Makes the close that follows a reset.
    fn reset_on_close(&self);
}

/// A connection, or in words why there is none.
pub type Dialled<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Wire>, String>> + Send + 'a>>;

/// Makes connections.
pub trait Dial: Send + Sync + 'static {
    /// Connects. Dropping the future closes what it opened.
    fn dial(&self, upstream: &Upstream) -> Dialled<'_>;
}
