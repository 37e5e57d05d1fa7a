//! Names of things: job ids, fencing tokens, revisions and route names. Parse, print, order.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::time::Timestamp;

/// A job's id: a UUIDv7 (RFC 9562 section 5.7), sortable by creation time, with a tail that cannot
/// be guessed. Knowing it is the right to read the job's result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(uuid::Uuid);

/// The text is not a job id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a job id: expected a UUID such as 01997f6c-7f3a-7cc0-8a6e-0d6f1e5b2a10")]
pub struct NotAJobId;

impl JobId {
    /// An id from a time and ten random bytes.
    pub fn from_parts(now: Timestamp, random: [u8; 10]) -> Self {
        Self(uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid())
    }

    /// The sixteen bytes, in an order that sorts as the ids do.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// When it was made: its first 48 bits.
    pub fn created_at(&self) -> Timestamp {
        let millis = self.as_bytes().iter().take(6);
        Timestamp::from_millis(millis.fold(0, |millis, byte| millis << 8 | u64::from(*byte)))
    }

    /// The id these bytes are, if they are a UUIDv7.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        Self::checked(uuid::Uuid::from_bytes(bytes))
    }

    fn checked(id: uuid::Uuid) -> Option<Self> {
        (id.get_version_num() == 7).then_some(Self(id))
    }
}

impl FromStr for JobId {
    type Err = NotAJobId;

    /// Accepts the 36-character form with hyphens only, in either case (RFC 9562 section 4). It is
    /// printed in lower case.
    fn from_str(text: &str) -> Result<Self, NotAJobId> {
        if text.len() != 36 {
            return Err(NotAJobId);
        }
        let id = uuid::Uuid::try_parse(text).map_err(|_| NotAJobId)?;
        Self::checked(id).ok_or(NotAJobId)
    }
}

impl JobId {
    /// As in RFC 9562: `01997f6c-1c00-7000-8000-000000000000`, without the machinery of formatting.
    pub fn text(self) -> [u8; 36] {
        let mut text = [0; 36];
        self.0.hyphenated().encode_lower(&mut text);
        text
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How often a job has been written. A change made from an older revision is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of the next write.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Proof that an attempt is the latest of its job. Grows with each attempt and is never reused, so
/// that a late attempt can be told from the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FencingToken(pub u64);

impl FencingToken {
    /// The token of the next attempt.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A route's name: 1 to 64 of `a-z`, `A-Z`, `0-9`, `-`, `_`, `.`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouteName(Arc<str>);

/// The text cannot name a route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a route name: expected 1 to 64 letters, digits, '-', '_' or '.'")]
pub struct NotARouteName;

impl RouteName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RouteName {
    type Err = NotARouteName;

    fn from_str(text: &str) -> Result<Self, NotARouteName> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if (1..=64).contains(&text.len()) && text.bytes().all(legal) {
            Ok(Self(text.into()))
        } else {
            Err(NotARouteName)
        }
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
