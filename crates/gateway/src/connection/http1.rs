//! An HTTP/1 connection: hyper behind the guard, and a close that lets the client read why.

use std::sync::Arc;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::Served;
use super::drive::{End, drive};
use super::sniff::Sniffed;
use super::socket::{Socket, Wire};
use crate::server::{Handler, ServerOptions, Shared};

/// Serves HTTP/1 until the connection ends.
pub(super) async fn serve<H: Handler, S: Wire>(
    stream: S,
    first: Sniffed,
    served: Served<H>,
    shared: &Shared,
) -> End {
    let pulse = Arc::clone(&served.pulse);
    let socket = Socket::new(stream, first, Arc::clone(&pulse));
    let service = service_fn(|request| served.answer(request));
    let mut conn = builder(&shared.options).serve_connection(TokioIo::new(socket), service);
    let end = drive(
        std::pin::Pin::new(&mut conn),
        |conn| conn.graceful_shutdown(),
        &pulse,
        &shared.switch,
        &shared.options,
    )
    .await;
    end
}

/// hyper's settings. Its own limits lie above the guard's, which decides.
fn builder(options: &ServerOptions) -> Builder {
    let mut builder = Builder::new();
    // Times are kept by the watchdog, which tells an idle connection from a slow head.
    builder.header_read_timeout(None);
    builder.max_buf_size((options.head_bytes_max * 2).max(64 * 1024));
    if options.headers_max > 100 {
        // Up to 100 fields hyper parses on its stack; beyond it allocates for each request.
        builder.max_headers(options.headers_max);
    }
    builder
}
