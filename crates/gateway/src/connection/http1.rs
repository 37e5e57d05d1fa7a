//! An HTTP/1 connection: hyper behind the guard.

use std::pin::Pin;
use std::sync::Arc;

use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use super::Served;
use super::close::close;
use super::drive::{End, Leave, drive};
use super::sniff::Sniffed;
use super::socket::{Socket, Wire};
use super::takeover;
use crate::guard::Guard;
use crate::guard::inspect::Limits;
use crate::server::{Handler, ServerOptions, Shared};

/// As many fields hyper parses on its stack; for more it allocates with each request.
const FIELDS_ON_STACK: usize = 100;

/// Serves HTTP/1 until the connection ends, and closes it.
pub(super) async fn serve<H: Handler, S: Wire>(
    stream: S,
    first: Sniffed,
    served: Served<H>,
    shared: &Shared,
) -> End {
    let options = &shared.options;
    let pulse = Arc::clone(&served.pulse);
    let socket = Socket::new(stream, first, Arc::clone(&pulse));
    let guard = Guard::new(socket, Limits::from(options), Arc::clone(&pulse));
    let can_give = !guard.get_ref().says_goodbye();
    let wait = || shared.last_wait(can_give);
    let service = service_fn(|request| served.answer(request, None));
    let mut conn = builder(options).serve_connection(TokioIo::new(guard), service);
    let end = drive(
        Pin::new(&mut conn),
        (|conn| conn.graceful_shutdown(), Leave::Between(&wait)),
        &pulse,
        &shared.switch,
        options,
    )
    .await;
    let parts = conn.into_parts();
    let unread = !parts.read_buf.is_empty();
    // Its room goes here: whoever takes over may stay for hours.
    drop(parts.read_buf);
    let guard = parts.io.into_inner();
    if let (End::Done, false, Some(takeover)) = (&end, unread, pulse.takeover()) {
        // Boxed: few connections get here.
        return Box::pin(takeover::run(guard, takeover, shared)).await;
    }
    if let (End::Released, false, Some(heir)) = (&end, unread, shared.heir.get()) {
        let socket = guard.into_idle();
        if let Some(socket) = socket.and_then(Socket::give) {
            heir.take(socket);
        }
        return end;
    }
    let told = |problem| served.handler.refused(problem);
    close(guard, &end, unread, &served.peer, shared, told).await;
    end
}

/// hyper's settings. Its own limits lie above the guard's, which decides.
fn builder(options: &ServerOptions) -> Builder {
    let mut builder = Builder::new();
    // Times are kept by the watchdog, which tells an idle connection from a slow head.
    builder.header_read_timeout(None);
    builder.max_buf_size((options.head_bytes_max * 2).max(64 * 1024));
    if options.headers_max > FIELDS_ON_STACK {
        builder.max_headers(options.headers_max);
    }
    builder
}
