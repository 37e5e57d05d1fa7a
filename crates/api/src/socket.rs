//! WebSockets (RFC 6455): one job at `{jobs}/{id}/events`, many at `/_raincheck/events`.
//!
//! Read [`orders`] for what a client may say, [`session`] for what happens on a socket, and
//! [`sieve`] for how a message that is too large leaves the socket whole.

mod orders;
mod origin;
mod session;
mod sieve;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use http::header::{
    HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, Response};
use raincheck_core::id::JobId;
use raincheck_core::problem::{Problem, ProblemCode};
use raincheck_core::rewrite::Cors;
use raincheck_exchange::Payload;
use raincheck_exchange::upgrade::{Asked, switch};
use raincheck_runner::Runner;
use raincheck_runner::status::Links;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use session::Session;

const WEBSOCKET: &str = "websocket";
/// The version of the protocol (RFC 6455 section 4.1).
const VERSION: HeaderValue = HeaderValue::from_static("13");

/// Whether a request asks to go on as a WebSocket.
pub(crate) fn is_asked<B>(request: &Request<B>) -> bool {
    let asked = request.extensions().get::<Asked>();
    *request.method() == Method::GET && asked.is_some_and(|asked| asked.names(WEBSOCKET))
}

/// What all sockets share.
pub(crate) struct Sockets {
    /// Whose pages may open one besides those of the gateway itself.
    cors: Option<Arc<Cors>>,
    /// Jobs that are followed, over all sockets.
    followed: Arc<AtomicUsize>,
}

impl Sockets {
    pub(crate) fn new(cors: Option<Arc<Cors>>) -> Self {
        Self {
            cors,
            followed: Arc::default(),
        }
    }

    /// The 101, and after it a session: of one job, from how it stands to its end, or of as many as
    /// the client asks for.
    ///
    /// # Errors
    /// The handshake is not one, or the page that asks is on another origin.
    pub(crate) fn open<B>(
        &self,
        runner: &Runner,
        links: &Links,
        only: Option<JobId>,
        request: &Request<B>,
    ) -> Result<Response<Payload>, Problem> {
        let accept = accept(request.headers())?;
        origin::check(request, links.base(), self.cors.as_deref())?;
        let session = Session {
            runner: runner.clone(),
            links: links.clone(),
            followed: Arc::clone(&self.followed),
            only,
        };
        let mut response = switch(WEBSOCKET, move |io| session.run(io));
        response.headers_mut().insert(SEC_WEBSOCKET_ACCEPT, accept);
        Ok(response)
    }
}

/// The answer to a request for sockets that does not ask for one, or not as we speak it.
pub(crate) fn required(detail: &str) -> Problem {
    Problem::new(ProblemCode::UpgradeRequired, detail)
}

/// What an answer that requires an upgrade has to name (RFC 9110 section 15.5.22, RFC 6455 section
/// 4.4).
pub(crate) fn name_upgrade(headers: &mut HeaderMap) {
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
    headers.insert(SEC_WEBSOCKET_VERSION, VERSION);
}

/// The proof that the handshake was understood.
fn accept(headers: &HeaderMap) -> Result<HeaderValue, Problem> {
    if headers.get(SEC_WEBSOCKET_VERSION) != Some(&VERSION) {
        return Err(required("Sec-WebSocket-Version must be 13"));
    }
    let malformed = || {
        let detail = "Sec-WebSocket-Key must be 16 bytes in base64";
        Problem::new(ProblemCode::MalformedRequest, detail)
    };
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().ok_or_else(malformed)?;
    if keys.next().is_some() {
        return Err(malformed());
    }
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let digits = key.as_bytes().strip_suffix(b"==").ok_or_else(malformed)?;
    if digits.len() != 22 || !digits.iter().all(base64) {
        return Err(malformed());
    }
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| malformed())
}
