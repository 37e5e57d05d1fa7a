//! Entries for the fuzzer to what is private otherwise.

use http::HeaderMap;

use crate::jobs::range::{Wanted, wanted};

/// What of a body of `len` bytes is served: its first byte and the one behind its last; none: the
/// range is past the end.
pub fn range(headers: &HeaderMap, len: u64, tag: &str) -> Option<(u64, u64)> {
    match wanted(headers, len, tag) {
        Wanted::Whole => Some((0, len)),
        Wanted::Part { first, last } => Some((first, last.saturating_add(1))),
        Wanted::Unsatisfiable => None,
    }
}
