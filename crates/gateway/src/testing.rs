//! Servers without a port, for a simulated network.

use std::net::SocketAddr;
use std::sync::Arc;

pub use crate::accept::Door;
pub use crate::connection::socket::Wire;
use crate::server::{Handler, Server, ServerHandle, ServerOptions};

/// Serves the connections that come through `door` until the handle is drained. Must be called
/// inside a runtime.
pub fn start<D: Door, H: Handler>(
    door: D,
    local: SocketAddr,
    handler: Arc<H>,
    options: ServerOptions,
) -> ServerHandle {
    Server::serve(door, local, handler, options)
}
