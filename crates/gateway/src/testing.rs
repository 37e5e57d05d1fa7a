//! Servers without a port, for a simulated network.

use std::net::SocketAddr;
use std::sync::Arc;

pub use crate::accept::Door;
use crate::connection::Plain;
pub use crate::connection::socket::Wire;
pub use crate::server::Address;
use crate::server::{Front, Handler, Server, ServerHandle, ServerOptions, Shared};

/// Serves the connections that come through `door` until the handle is drained. Must be called
/// inside a runtime.
pub fn start<D: Door, H: Handler>(
    door: D,
    local: SocketAddr,
    handler: Arc<H>,
    options: ServerOptions,
) -> ServerHandle {
    let shared = Shared::new(options, Address::Tcp(local), Front::default());
    Server::serve::<D, H, Plain>(door, handler, Arc::new(shared))
}
