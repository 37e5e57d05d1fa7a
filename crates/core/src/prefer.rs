//! `Prefer` (RFC 7240): what a client asks of us, `respond-async` and `wait`.

use std::time::Duration;

use http::HeaderMap;

/// What a client prefers. Unknown and malformed preferences are ignored, as the RFC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prefer {
    /// A ticket is welcome.
    pub respond_async: bool,
    /// How long the client is ready to wait.
    pub wait: Option<Duration>,
}

impl Prefer {
    /// Reads all `Prefer` fields as one list; the first instance of a preference counts.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let mut prefer = Self::default();
        for value in headers.get_all("prefer") {
            for item in value.to_str().unwrap_or("").split(',') {
                prefer.take(item.split(';').next().unwrap_or(""));
            }
        }
        prefer
    }

    fn take(&mut self, preference: &str) {
        let (name, value) = match preference.split_once('=') {
            Some((name, value)) => (name.trim(), value.trim().trim_matches('"')),
            None => (preference.trim(), ""),
        };
        if name.eq_ignore_ascii_case("respond-async") {
            self.respond_async = true;
        } else if name.eq_ignore_ascii_case("wait") && self.wait.is_none() {
            self.wait = wait_seconds(value);
        }
    }
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
