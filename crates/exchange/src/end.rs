//! How a recording ends. A vanished writer is never a clean end.

use raincheck_core::outcome::Failure;

/// The end of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of the response is there. Only such a recording is ever replayed as an answer.
    Complete,
    /// The exchange failed; what there is stops short.
    Aborted(Failure),
    /// Nobody knows: its writer is gone without a word.
    Lost,
}
