//! `Prefer` (RFC 7240): what a client asks of us, `respond-async` and `wait`.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

use crate::head::RequestHead;
use crate::navigation::navigates;
use crate::policy::keepalive::keepalive;
use crate::route::Route;

/// Made once: to look a field up by text is to parse the text each time.
static PREFER: HeaderName = HeaderName::from_static("prefer");

/// What a client prefers. Unknown and malformed preferences are ignored, as the RFC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefer {
    /// A ticket is welcome.
    pub respond_async: bool,
    /// How long the client is ready to wait.
    pub wait: Option<Duration>,
    /// A page is welcome where there is no response yet. Known only once a client is about to get
    /// a ticket, see [`Prefer::past_hold`]: fast answers do not pay for the look.
    pub page: bool,
    /// The client is kept by bytes where there is no response yet; known as late as `page`.
    pub keepalive: bool,
}

impl Prefer {
    /// Reads all `Prefer` fields as one list; the first instance of a preference counts, and where
    /// it is malformed there is none.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut respond_async = None;
        let mut wait = None;
        for field in headers.get_all(&PREFER) {
            for item in split(field.as_bytes(), b',') {
                let (name, value) = preference(item);
                if name.eq_ignore_ascii_case(b"respond-async") {
                    respond_async.get_or_insert(value.is_empty());
                } else if name.eq_ignore_ascii_case(b"wait") {
                    let text = std::str::from_utf8(value).unwrap_or_default();
                    wait.get_or_insert_with(|| wait_seconds(text));
                }
            }
        }
        Self {
            respond_async: respond_async.unwrap_or(false),
            wait: wait.flatten(),
            page: false,
            keepalive: false,
        }
    }

    /// What is confirmed: a longer wait than the route's hold is not what the client gets.
    #[must_use]
    pub fn confirmed(self, hold: Duration) -> Self {
        let wait = self.wait.filter(|wait| *wait <= hold);
        Self { wait, ..self }
    }

    /// The same, and what a client can take that gets no response within its hold: whether it is a
    /// browser that opens a page, and whether bytes keep it.
    #[must_use]
    pub fn past_hold(self, route: &Route, head: &RequestHead) -> Self {
        let page = navigates(&head.headers);
        let prefer = Self { page, ..self };
        Self {
            keepalive: keepalive(route, &head.method, &head.headers, prefer).is_some(),
            ..prefer
        }
    }
}

/// Name and value of a preference without its parameters. A value in quotes means what it means
/// without; escapes inside are left alone, as no value that is read here has any.
fn preference(item: &[u8]) -> (&[u8], &[u8]) {
    let bare = split(item, b';').next().unwrap_or_default();
    let name = split(bare, b'=').next().unwrap_or_default();
    let value = bare.get(name.len() + 1..).unwrap_or_default().trim_ascii();
    let quoted = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""));
    (name.trim_ascii(), quoted.unwrap_or(value))
}

/// Splits a list where the separator stands outside of quoted strings.
fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    list.split(move |byte| {
        let literal = std::mem::take(&mut escaped);
        match byte {
            b'"' if !literal => quoted = !quoted,
            b'\\' if quoted && !literal => escaped = true,
            _ => {}
        }
        *byte == separator && !quoted
    })
}

/// Whole seconds as in `wait=10`; digits only, and more than fit are for ever.
pub fn wait_seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(
        text.parse().unwrap_or(u64::from(u32::MAX)),
    ))
}
