//! What browsers on other origins may do (the Fetch standard, section 3.2).

use std::str::FromStr;
use std::time::Duration;

use http::Method;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::compress::add_vary;

/// The rules for other origins.
#[derive(Debug, Clone, PartialEq)]
pub struct Cors {
    /// Which origins.
    pub origins: Origins,
    /// Methods beyond those that need no leave; empty: all the usual ones.
    pub methods: Vec<Method>,
    /// Request fields that may be sent; none: whichever are asked for.
    pub headers: Option<Vec<HeaderName>>,
    /// Response fields that scripts may read beyond [`EXPOSED`].
    pub expose: Vec<HeaderName>,
    /// Whether cookies and client certificates go along. Never with [`Origins::Any`].
    pub credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    pub max_age: Duration,
}

/// Which origins are let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origins {
    /// All of them, without credentials.
    Any,
    /// Those that a rule names.
    Some(Vec<OriginRule>),
}

/// One origin, or all below a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OriginRule {
    /// This one, as browsers write it.
    Exact(String),
    /// Every subdomain, at any depth, and not the domain itself.
    Below {
        /// With its `://`.
        scheme: String,
        /// With the dot before it, and the port where one is written.
        domain: String,
    },
}

/// Why a text is not an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// It has no scheme.
    #[error("it has no scheme; an origin is scheme, host and maybe port")]
    NoScheme,
    /// `null` would let in every sandboxed page and local file.
    #[error("every sandboxed page and every local file has the origin null")]
    Null,
    /// It has a path.
    #[error("an origin has no path, and no slash at its end")]
    Path,
    /// The host or port is not one, or a `*` stands elsewhere than for the first label.
    #[error("its host is not a name or an address, nor \"*.\" and a name")]
    Host,
    /// Browsers leave it out.
    #[error("browsers leave out the port that is the scheme's own")]
    DefaultPort,
}

/// Response fields of ours that scripts need: to find and await a ticket, to tell our answers from
/// the backend's, to take a result in parts.
pub const EXPOSED: [&str; 14] = [
    "Location",
    "Retry-After",
    "Link",
    "Preference-Applied",
    "Raincheck-Job-Id",
    "Raincheck-Error",
    "Raincheck-Attempt",
    "Idempotency-Replayed",
    "ETag",
    "Content-Range",
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Location",
];

/// What may be asked for where a config says nothing.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// The answer to a preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Whether the origin is let in.
    pub allowed: bool,
    /// The fields of the answer.
    pub headers: HeaderMap,
}

/// The method that a preflight asks leave for; none: the request is no preflight.
pub fn asked_method(method: &Method, headers: &HeaderMap) -> Option<Method> {
    if *method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
        return None;
    }
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(asked.as_bytes()).ok()
}

impl Cors {
    /// The answer to a preflight with this head.
    pub fn preflight(&self, request: &HeaderMap) -> Preflight {
        let mut headers = HeaderMap::new();
        let allowed = self.let_in(request, &mut headers);
        add_vary(&mut headers, "Access-Control-Request-Method");
        add_vary(&mut headers, "Access-Control-Request-Headers");
        if allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.allow_methods());
            if let Some(fields) = self.allow_headers(request) {
                headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, fields);
            }
            let max_age = HeaderValue::from(self.max_age.as_secs());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, max_age);
        }
        Preflight { allowed, headers }
    }

    /// Puts what browsers look at into the answer to a request that had this `Origin`. What the
    /// backend said in its place goes: two answers to one question let nobody in.
    pub fn apply(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        let said = |name: &HeaderName| name.as_str().starts_with("access-control-");
        if headers.keys().any(said) {
            crate::hop::sift(headers, said);
        }
        if self.let_in_origin(origin, headers) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed());
        }
    }

    /// Whether pages of this origin, as browsers write it, are let in.
    pub fn lets_in(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::Any => true,
            Origins::Some(rules) => rules.iter().any(|rule| rule.takes(origin.as_bytes())),
        }
    }

    fn let_in(&self, request: &HeaderMap, headers: &mut HeaderMap) -> bool {
        let mut origins = request.get_all(header::ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none());
        self.let_in_origin(origin, headers)
    }

    fn let_in_origin(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) -> bool {
        let allowed = match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Some(rules) => {
                add_vary(headers, "Origin");
                origin
                    .filter(|origin| rules.iter().any(|rule| rule.takes(origin.as_bytes())))
                    .cloned()
            }
        };
        let Some(allowed) = allowed else {
            return false;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        if self.credentials {
            let yes = HeaderValue::from_static("true");
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        }
        true
    }

    fn allow_methods(&self) -> HeaderValue {
        let names: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        match names.is_empty() {
            true => HeaderValue::from_static(METHODS),
            false => list(&names),
        }
    }

    fn allow_headers(&self, request: &HeaderMap) -> Option<HeaderValue> {
        match &self.headers {
            Some(names) if names.is_empty() => None,
            Some(names) => Some(list(
                &names.iter().map(HeaderName::as_str).collect::<Vec<_>>(),
            )),
            None => {
                let asked = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS)?;
                let mut names = asked.as_bytes().split(|byte| *byte == b',');
                let proper = names.all(|name| HeaderName::from_bytes(name.trim_ascii()).is_ok());
                proper.then(|| asked.clone())
            }
        }
    }

    fn exposed(&self) -> HeaderValue {
        let more = self.expose.iter().map(HeaderName::as_str);
        list(&EXPOSED.into_iter().chain(more).collect::<Vec<_>>())
    }
}

/// Names of fields or methods as one value.
fn list(names: &[&str]) -> HeaderValue {
    HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

impl OriginRule {
    /// Whether an origin is meant.
    pub fn takes(&self, origin: &[u8]) -> bool {
        match self {
            Self::Exact(own) => own.as_bytes() == origin,
            Self::Below { scheme, domain } => {
                let rest = origin.strip_prefix(scheme.as_bytes());
                let below = rest.and_then(|rest| rest.strip_suffix(domain.as_bytes()));
                below.is_some_and(|labels| {
                    !labels.is_empty() && labels.split(|byte| *byte == b'.').all(is_label)
                })
            }
        }
    }
}

fn is_label(label: &[u8]) -> bool {
    let legal = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
    !label.is_empty() && label.iter().all(legal)
}

impl FromStr for OriginRule {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let text = text.to_ascii_lowercase();
        if text == "null" {
            return Err(OriginError::Null);
        }
        let (scheme, place) = text.split_once("://").ok_or(OriginError::NoScheme)?;
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
        if scheme.is_empty() || !scheme.bytes().all(legal) {
            return Err(OriginError::NoScheme);
        }
        if place.contains(['/', '?', '#']) {
            return Err(OriginError::Path);
        }
        let (below, host) = match place.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, place),
        };
        check_host(scheme, host, below)?;
        Ok(match below {
            true => Self::Below {
                scheme: format!("{scheme}://"),
                domain: format!(".{host}"),
            },
            false => Self::Exact(text),
        })
    }
}

/// A name or address, and maybe a port.
fn check_host(scheme: &str, text: &str, name_only: bool) -> Result<(), OriginError> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let good = match address {
        Some(address) => !name_only && address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| is_label(label.as_bytes())),
    };
    if !good {
        return Err(OriginError::Host);
    }
    match port.map(str::parse::<u16>) {
        None => Ok(()),
        Some(Ok(80)) if scheme == "http" => Err(OriginError::DefaultPort),
        Some(Ok(443)) if scheme == "https" => Err(OriginError::DefaultPort),
        Some(Ok(1..)) => Ok(()),
        Some(_) => Err(OriginError::Host),
    }
}
