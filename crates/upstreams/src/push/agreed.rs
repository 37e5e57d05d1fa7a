//! Which version of HTTP a server has picked by ALPN, where that is left to it: asked once for all
//! who come at the same time, and remembered until a connection says otherwise.

use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::Duration;

use raincheck_core::outcome::Failure;
use tokio::time::timeout;

use super::conn::Conn;
use super::host::Host;
use super::http2::Http2;
use super::pool::Upstreams;
use super::words;

/// How often one request follows a server that changes its mind.
pub(super) const TURNS: usize = 3;

/// Nothing is known at first.
const HTTP1: u8 = 1;
const HTTP2: u8 = 2;

/// What a server has picked.
#[derive(Default)]
pub(super) struct Agreed {
    now: AtomicU8,
    asking: tokio::sync::Mutex<()>,
}

impl Agreed {
    /// Whether it is HTTP/2, once that is known.
    fn known(&self) -> Option<bool> {
        match self.now.load(Relaxed) {
            HTTP1 => Some(false),
            HTTP2 => Some(true),
            _ => None,
        }
    }

    /// Whether something else than this was learnt since.
    pub(super) fn is_not(&self, http2: bool) -> bool {
        self.known() == Some(!http2)
    }

    /// A connection was made that speaks this.
    pub(super) fn learn(&self, http2: bool) {
        let now = if http2 { HTTP2 } else { HTTP1 };
        self.now.store(now, Relaxed);
    }

    /// Whether it speaks HTTP/2, found out by a connection if nobody knows; the connection is kept.
    ///
    /// Cancel safe: whoever waits next asks.
    pub(super) async fn ask(
        &self,
        pool: &Upstreams,
        host: &Host,
        http2: &Http2,
        within: Duration,
    ) -> Result<bool, Failure> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let asking = async {
            let _alone = self.asking.lock().await;
            if let Some(known) = self.known() {
                return Ok(known);
            }
            let socket = pool.connect(host, within).await?;
            let speaks_http2 = socket.agreed_on_http2();
            match speaks_http2 {
                true => http2.begin(socket).await?,
                false => host.put(Conn::start(socket, false).await?),
            }
            self.learn(speaks_http2);
            Ok(speaks_http2)
        };
        let asked = timeout(within, asking).await;
        asked.unwrap_or_else(|_| Err(words::too_slow(&host.upstream, within)))
    }
}
