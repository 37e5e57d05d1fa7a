//! Path prefixes that come off and go on.
//!
//! A prefix is a number of whole segments, and segments are split at `/` alone: an encoded slash is
//! part of its segment, and nothing is ever decoded or encoded. What follows the prefix goes on byte
//! for byte. A path with dot segments is refused, in any spelling that a backend could take for one:
//! `/api/../admin` would leave the prefix that the route stands for.

use bytes::Bytes;
use http::uri::PathAndQuery;

/// A change of path prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prefix {
    /// How many segments come off.
    pub strip: usize,
    /// What goes on: begins with a slash and does not end with one; empty for nothing.
    pub add: String,
}

/// A path that a prefix rule sees changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What the upstream gets.
    pub target: PathAndQuery,
    /// What came off, as the client wrote it.
    pub stripped: String,
}

/// The path has a segment that stands for the same or the upper level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the path has a dot segment, which could leave the prefix that this route stands for")]
pub struct DotSegment;

impl Prefix {
    /// Whether paths stay as they are.
    pub fn is_none(&self) -> bool {
        self.strip == 0 && self.add.is_empty()
    }

    /// The target with its prefix changed. Slashes that would then begin it become one, as `//host`
    /// names a host to some readers.
    ///
    /// # Errors
    /// The path has a dot segment.
    pub fn apply(&self, target: &PathAndQuery) -> Result<Changed, DotSegment> {
        let path = target.path();
        if has_dot_segment(path) {
            return Err(DotSegment);
        }
        let (stripped, rest) = path.split_at(self.cut(path));
        let mut new = self.add.clone();
        new.push('/');
        new.push_str(rest.trim_start_matches('/'));
        if let Some(query) = target.query() {
            new.push('?');
            new.push_str(query);
        }
        // What is put together of parts of a path is one.
        let target = PathAndQuery::from_maybe_shared(Bytes::from(new)).map_err(|_| DotSegment)?;
        Ok(Changed {
            target,
            stripped: stripped.to_owned(),
        })
    }

    /// Where the segments that come off end: before a slash, or at the end of the path.
    fn cut(&self, path: &str) -> usize {
        match self.strip {
            0 => 0,
            strip => path
                .match_indices('/')
                .nth(strip)
                .map_or(path.len(), |(at, _)| at),
        }
    }
}

/// Whether some backend could read a segment as `.` or `..`: with encoded dots and slashes, with
/// backslashes, with parameters behind a semicolon.
pub fn has_dot_segment(path: &str) -> bool {
    if !path.contains('.') && !path.contains('%') {
        return false;
    }
    let plain = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace("%3b", ";")
        .replace('\\', "/");
    plain.split('/').any(|segment| {
        let name = segment.split(';').next().unwrap_or_default();
        matches!(name, "." | "..")
    })
}
