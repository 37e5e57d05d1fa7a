//! Fields that a route sets, adds and removes.

use http::HeaderMap;
use http::header::{self, HeaderName, HeaderValue};

use crate::hop;

/// Changes of a header section, in this order: removed, set, added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldRules {
    /// Fields that go.
    pub remove: Vec<HeaderName>,
    /// Fields that have this value and no other.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Fields that come beside those of the same name.
    pub add: Vec<(HeaderName, HeaderValue)>,
}

/// Why a field cannot be changed by a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It belongs to one hop or to framing.
    #[error("it belongs to one connection and is made anew on each side")]
    Hop,
    /// Only raincheck sets it.
    #[error("only raincheck sets it")]
    Own,
    /// There is a key for it.
    #[error("the host has a key of its own, `host`")]
    Host,
    /// It says whom a request comes from.
    #[error("it says whom a request comes from, and follows `server.trusted_proxies`")]
    Origin,
}

/// Whether a rule may change this field. A `_` counts as a `-`, as some backends read it so.
///
/// # Errors
/// Why not.
pub fn check(name: &HeaderName) -> Result<(), FieldError> {
    const FRAMING: [HeaderName; 5] = [
        header::CONTENT_LENGTH,
        header::TRAILER,
        header::EXPECT,
        header::VIA,
        HeaderName::from_static("http2-settings"),
    ];
    let dashed = name.as_str().replace('_', "-");
    let name = HeaderName::try_from(dashed).map_err(|_| FieldError::Hop)?;
    if hop::is_hop_by_hop(&name) || FRAMING.contains(&name) {
        return Err(FieldError::Hop);
    }
    if hop::is_own(&name) {
        return Err(FieldError::Own);
    }
    if name == header::HOST {
        return Err(FieldError::Host);
    }
    match hop::tells_origin(name.as_str().as_bytes()) {
        true => Err(FieldError::Origin),
        false => Ok(()),
    }
}

impl FieldRules {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.remove.is_empty() && self.set.is_empty() && self.add.is_empty()
    }

    /// Changes a header section. What stays keeps its order.
    pub fn apply(&self, headers: &mut HeaderMap) {
        if self.remove.iter().any(|name| headers.contains_key(name)) {
            hop::sift(headers, |name| self.remove.contains(name));
        }
        for (name, value) in &self.set {
            headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.add {
            headers.append(name.clone(), value.clone());
        }
    }
}
