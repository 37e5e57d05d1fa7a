//! An HTTP/2 connection: hyper with bounds against floods and against clients that vanish.

use std::pin::pin;
use std::sync::Arc;

use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::Served;
use super::drive::{End, Leave, drive};
use super::flood::Flood;
use super::pulse::Phase;
use super::sniff::Sniffed;
use super::socket::{Socket, Wire};
use super::streams::{PacedBody, Streams};
use super::takeover;
use crate::server::{Handler, ServerOptions, Shared};

/// What one connection may send us before we take any of it.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// What one stream may send us before we take any of it.
const STREAM_WINDOW: u32 = 256 * 1024;
/// What one stream may keep in memory on its way to the client.
const STREAM_SEND_BUFFER: usize = 256 * 1024;
/// Streams that a client may open and reset before we have looked at them.
const PENDING_RESETS: usize = 20;
/// Streams that we may have to reset because the client broke a rule.
const ERROR_RESETS: usize = 128;

/// Serves HTTP/2 until the connection ends.
pub(super) async fn serve<H: Handler, S: Wire>(
    stream: S,
    first: Sniffed,
    served: Served<H>,
    shared: &Shared,
) -> End {
    let pulse = Arc::clone(&served.pulse);
    let socket = Socket::new(stream, first, Arc::clone(&pulse));
    let streams = Streams::new(shared.options.write_idle_timeout);
    let builder = builder(&shared.options, streams.clone());
    let service = service_fn(move |mut request| {
        let pace = streams.begin();
        let stream = takeover::Stream::ask(&mut request, &served.pulse, shared);
        let answer = served.answer(request, stream);
        async move {
            answer
                .await
                .map(|response| response.map(|body| PacedBody::new(body, pace)))
        }
    });
    let linger = shared.options.linger_timeout;
    let socket = Flood::new(socket, Arc::clone(&pulse), linger);
    let conn = builder.serve_connection(TokioIo::new(socket), service);
    let mut conn = pin!(conn);
    let end = drive(
        conn.as_mut(),
        (|conn| conn.graceful_shutdown(), Leave::AtOnce),
        &pulse,
        &shared.switch,
        &shared.options,
    )
    .await;
    if let End::TimedOut(Phase::Idle(_)) = end {
        // A client that sends its next request just now learns that it was not taken.
        conn.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(linger, conn).await;
    }
    end
}

/// What rule of HTTP/2 the client broke, if that is why its connection ended: hyper has sent it a
/// GOAWAY that says the same.
pub(super) fn broken_rule(error: &hyper::Error) -> Option<String> {
    let cause = std::error::Error::source(error)?.downcast_ref::<h2::Error>()?;
    let ours = cause.is_go_away() && cause.is_library();
    ours.then(|| cause.to_string())
}

fn builder(options: &ServerOptions, streams: Streams) -> Builder<Streams> {
    let list_bytes = u32::try_from(options.head_bytes_max).unwrap_or(u32::MAX);
    let mut builder = Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(options.h2_streams_max)
        .max_header_list_size(list_bytes)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_send_buf_size(STREAM_SEND_BUFFER)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(ERROR_RESETS)
        .keep_alive_interval(options.h2_ping_interval)
        .keep_alive_timeout(options.h2_ping_timeout);
    builder
}
